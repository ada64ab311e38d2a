package fault

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/internal/panics"
)

// healWithin bounds a heal beyond the grace period that it may have to wait for: long enough for an engine under load to
// kill and start a node, short enough for a person who waits at Ctrl-C.
const healWithin = 30 * time.Second

// Run fires every step at its offset from the moment from, itself an offset from the recorder's epoch, and heals it when
// its time is over. When ctx ends, nothing more is fired and whatever is still broken is healed, the last one first. Every
// fault that was ordered is recorded, once. The error joins what injectors and heals failed at; the records hold it too, so
// that the judgement finds it and a caller need not cut the run short. So it is with a panic of an injector or a heal.
func (p Plan) Run(ctx context.Context, from time.Duration, e *env.Env, rec *evidence.Recorder, seed uint64) error {
	x := &executor{env: e, rec: rec}
	start := rec.Epoch().Add(from)
	var all sync.WaitGroup
	for i, s := range p {
		own := rand.New(rand.NewPCG(seed, uint64(i))) // its own, so that timing can not change what it draws
		all.Go(func() { x.step(ctx, s, start.Add(s.At), own) })
	}
	all.Wait()
	for _, o := range slices.Backward(x.open) {
		x.heal(ctx, o)
	}
	return errors.Join(x.errs...)
}

// executor knows what is broken at present.
type executor struct {
	env *env.Env
	rec *evidence.Recorder

	mu   sync.Mutex
	open []*open // in the order in which they were injected
	errs []error
}

// open is a fault that was ordered and not yet healed.
type open struct {
	undo   env.Undo
	record evidence.Injection
}

func (x *executor) step(ctx context.Context, s Step, due time.Time, r *rand.Rand) {
	if env.Sleep(ctx, time.Until(due)) != nil {
		return
	}
	err := panics.Do(func() error { return s.Fault.awaited(ctx, x.env) })
	x.env.Logf("fault: %s", s.Fault.Name)
	o := &open{record: evidence.Injection{Fault: s.Fault.Name, Kind: s.Fault.Kind, Ends: s.Fault.Ends, Silences: s.Fault.Silences,
		Ordered: x.rec.Now()}}
	if err == nil {
		var in Injected
		err = panics.Do(func() (err error) {
			in, err = s.Fault.Inject(ctx, x.env, r)
			return err
		})
		o.undo, o.record.Target = in.Undo, in.Target
	}
	if err != nil {
		o.record.Error = err.Error()
		x.failed(fmt.Errorf("inject %s: %w", s.Fault.Name, err))
	}
	x.push(o)
	if err == nil && env.Sleep(ctx, s.For) != nil {
		return // left open, for Run to heal in reverse order
	}
	x.remove(o)
	x.heal(ctx, o)
}

// awaited waits for the fault's turn. What its target does until then, such as to die, is not the fault's doing.
func (f Fault) awaited(ctx context.Context, e *env.Env) error {
	if f.Await == nil {
		return nil
	}
	return f.Await(ctx, e)
}

// heal ends a fault and records it. It works after ctx has ended, too.
func (x *executor) heal(ctx context.Context, o *open) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), healWithin+grace(x.env))
	defer cancel()
	o.record.Healing = x.rec.Now()
	if o.undo != nil {
		x.env.Logf("heal: %s", o.record.Fault)
		if err := panics.Do(func() error { return o.undo(ctx) }); err != nil {
			o.record.Undo = err.Error()
			x.failed(fmt.Errorf("heal %s: %w", o.record.Fault, err))
		}
	}
	evidence.Injections.Put(x.rec, o.record)
}

func (x *executor) push(o *open) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.open = append(x.open, o)
}

func (x *executor) remove(o *open) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.open = slices.DeleteFunc(x.open, func(other *open) bool { return other == o })
}

func (x *executor) failed(err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.errs = append(x.errs, err)
}
