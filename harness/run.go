package harness

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/internal/panics"
	"github.com/sentinel-chaos/sentinel/harness/load"
	"github.com/sentinel-chaos/sentinel/harness/probe"
)

// ErrSetup says that the system never became ready: nothing was tested and nothing is judged.
var ErrSetup = errors.New("set-up failed")

// Options are what a run needs beside its scenario.
type Options struct {
	Driver    env.Driver             // launches the nodes; the caller closes it
	Dir       string                 // a new folder for this run's evidence, logs and verdicts
	Seed      uint64                 // every random choice draws from it
	Logf      func(string, ...any)   // progress, one line each
	OnRequest func(evidence.Request) // hears of each finished request, for a live display; may be nil

	// Where runs share a machine, these keep one's load apart from all else. Both may be nil.
	Ready  func(context.Context) error // called when the system is ready; nothing is sent to it until this returns
	Loaded func()                      // called when the load is over and healed: what is left needs little of the machine
}

// Run starts the scenario's system, runs its plan, saves the evidence and judges it. It returns an error only when there
// is no judgement: the scenario is unfit, the set-up failed (ErrSetup), or the evidence could not be saved. A set-up that
// failed is a judgement after all where the evidence proves that it was the service's doing, such as a panic. A warm-up that was
// answered, but not ok, is no failed set-up: the run goes on and is judged, with these requests in its evidence. A run that
// ctx cuts short is healed, saved and judged like any other; its incompleteness shows in the verdict. So does a panic of a
// probe; one of the system or of the load is an error.
func Run(ctx context.Context, s Scenario, opt Options) (*evidence.Run, check.Judgement, error) {
	s = s.Drawn(opt.Seed)
	if err := s.Validate(); err != nil {
		return nil, check.Judgement{}, err
	}
	if err := s.Fits(opt.Driver); err != nil {
		return nil, check.Judgement{}, err
	}
	rec, err := evidence.NewRecorder(opt.Dir, time.Now())
	if err != nil {
		return nil, check.Judgement{}, err
	}
	r := &runner{Scenario: s, Options: opt, rec: rec, env: env.New(opt.Driver, opt.Seed, opt.Logf), probes: s.probes()}
	err = panics.Do(func() error { return r.run(ctx) })
	r.saveLogs()
	err = errors.Join(err, rec.Close())
	if err != nil && !errors.Is(err, ErrSetup) {
		return nil, check.Judgement{}, err
	}
	run, j, jerr := Judge(opt.Dir, s)
	switch {
	case err == nil:
		return run, j, jerr
	case jerr == nil && j.Status == check.Fail:
		opt.Logf("%v", err)
		return run, j, nil
	}
	return nil, check.Judgement{}, err
}

type runner struct {
	Scenario
	Options
	rec    *evidence.Recorder
	env    *env.Env
	probes []probe.Probe
}

func (r *runner) run(ctx context.Context) error {
	if err := r.writePlan(); err != nil {
		return err
	}
	if programs := r.Programs(); len(programs) > 0 {
		if err := r.Driver.Prepare(ctx, programs); err != nil {
			return fmt.Errorf("%w: %w", ErrSetup, err)
		}
	}
	if err := r.start(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrSetup, err)
	}
	if err := r.writePlan(); err != nil {
		return err
	}
	if r.Ready != nil {
		if err := r.Ready(ctx); err != nil {
			return fmt.Errorf("%w: %w", ErrSetup, err)
		}
	}
	watching := r.watch()
	defer watching.stop() // of a run that panics, too
	err := r.warmUp(ctx)
	if err == nil {
		err = r.loadAndBreak(ctx)
	}
	if r.Loaded != nil {
		r.Loaded()
	}
	r.quiesce(context.WithoutCancel(ctx))
	watching.stop()
	if err != nil {
		return err
	}
	r.collect(context.WithoutCancel(ctx))
	return nil
}

// phase records how long a part of the run took.
func (r *runner) phase(name string, from time.Duration) {
	evidence.Windows.Put(r.rec, evidence.Window{Name: name, From: from, To: r.rec.Now()})
}

func (r *runner) writePlan() error {
	p := evidence.Plan{Scenario: r.Name, Claim: r.Claim, Seed: r.Seed, Driver: r.Driver.Name(), Params: r.env.Params(),
		Versions: r.env.Versions(), Load: r.Load.Plan(), Allow: r.Load.Allow}
	for _, f := range r.Faults {
		p.Faults = append(p.Faults, evidence.Step{Fault: f.Fault.Name, Kind: f.Fault.Kind, At: f.At, For: f.For})
	}
	return r.rec.WritePlan(p)
}

func (r *runner) start(ctx context.Context) error {
	from := r.rec.Now()
	defer func() { r.phase(evidence.PhaseStart, from) }()
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("not ready within %s", startLimit))
	defer cancel()
	err := r.System.Start(ctx, r.env)
	r.keepSecrets()
	if err != nil {
		return err
	}
	for _, n := range r.env.Nodes() {
		evidence.Nodes.Put(r.rec, evidence.Node{Name: n.Name, Role: n.Role, Addr: n.Addr, Subject: n.Subject, Store: n.Store})
	}
	r.Logf("%d nodes ready in %.1f s", len(r.env.Nodes()), (r.rec.Now() - from).Seconds())
	return nil
}

// errEndedEarly is that of a probe which did not watch to the end.
var errEndedEarly = errors.New("it ended before the run did")

// watchers are the probes that run beside the load.
type watchers struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// stop is safe to call twice.
func (w *watchers) stop() {
	w.cancel()
	w.done.Wait()
}

func (r *runner) watch() *watchers {
	ctx, cancel := context.WithCancel(context.Background())
	w := &watchers{cancel: cancel}
	for _, p := range r.probes {
		if p.Watch == nil {
			continue
		}
		w.done.Go(func() {
			// An error at the end counts, too: what is wrong with one node may be told only when the other nodes are done.
			err := panics.Do(func() error { return p.Watch(ctx, r.env, r.rec) })
			switch {
			case err != nil:
				r.probeFailed(p.Name, err)
			case ctx.Err() == nil:
				r.probeFailed(p.Name, errEndedEarly)
			case p.Collect == nil:
				r.probeCollected(p.Name) // it had nothing to do but to watch to the end
			}
		})
	}
	return w
}

// probeFailed puts the failure into the evidence: what was not observed proves nothing, and an assumption says so.
func (r *runner) probeFailed(name string, err error) {
	r.Logf("probe %s: %v", name, err)
	evidence.Observations.Put(r.rec, evidence.Observation{At: r.rec.Now(), Source: evidence.SourceProbe, Node: name, What: evidence.ProbeFailed, Detail: err.Error()})
}

// probeCollected says that the probe looked at the end, so that what it did not record was not there.
func (r *runner) probeCollected(name string) {
	evidence.Observations.Put(r.rec, evidence.Observation{At: r.rec.Now(), Source: evidence.SourceProbe, Node: name, What: evidence.ProbeCollected})
}

// warmUp sends the warm-up and then leaves the system alone, so that leaks have a level to be measured against. Requests that were
// not answered ok are evidence: the run goes on, and check.WarmedUp judges them.
func (r *runner) warmUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, warmupLimit, fmt.Errorf("warm-up not done within %s", warmupLimit))
	defer cancel()
	notOK, err := load.WarmUp(ctx, r.Load, r.target(), r.Seed, r.rec.Now)
	for _, q := range notOK {
		evidence.Warmup.Put(r.rec, q)
	}
	if err != nil {
		return fmt.Errorf("%w: warm-up: %w", ErrSetup, err)
	}
	if len(notOK) > 0 {
		r.Logf("%d requests of the warm-up were not answered ok", len(notOK))
	}
	from := r.rec.Now()
	defer func() { r.phase(evidence.PhaseBaseline, from) }()
	_ = env.Sleep(ctx, baselineFor) // an interruption shows in what the load leaves
	return nil
}

func (r *runner) target() load.Target { return load.Target(r.env.Target()) }

// loadAndBreak runs the load and the plan of faults side by side. Everything is healed when it returns.
func (r *runner) loadAndBreak(ctx context.Context) error {
	from := r.rec.Now() + leadIn
	defer func() { r.phase(evidence.PhaseLoad, from) }()
	r.Logf("load: %s", load.Describe(r.Load.Plan()))
	var g panics.Group
	g.Go(func() error {
		return load.Run(ctx, r.Load, r.target(), r.Seed, from, r.rec, r.OnRequest)
	})
	g.Go(func() error {
		// An injector's error is in the evidence: the fault is not confirmed, and the verdict says so.
		if err := r.Faults.Run(ctx, from, r.env, r.rec, r.Seed); err != nil {
			r.Logf("faults: %v", err)
		}
		return nil
	})
	return g.Wait()
}

// quiesce waits until the system is at rest. That it never is, is for the checks to find in the samples.
func (r *runner) quiesce(ctx context.Context) {
	from := r.rec.Now()
	defer func() { r.phase(evidence.PhaseQuiesce, from) }()
	if q, ok := r.System.(env.Quiescer); ok {
		ctx, cancel := context.WithTimeoutCause(ctx, quiesceLimit, fmt.Errorf("busy for %s after the load", quiesceLimit))
		defer cancel()
		if err := q.Quiet(ctx, r.env); err != nil {
			r.Logf("not quiet: %v", err)
		}
	}
	_ = env.Sleep(ctx, tailFor)
}

func (r *runner) collect(ctx context.Context) {
	from := r.rec.Now()
	defer func() { r.phase(evidence.PhaseCollect, from) }()
	ctx, cancel := context.WithTimeoutCause(ctx, collectLimit, fmt.Errorf("not collected within %s", collectLimit))
	defer cancel()
	for _, p := range r.probes {
		if p.Collect == nil {
			continue
		}
		if err := panics.Do(func() error { return p.Collect(ctx, r.env, r.rec) }); err != nil {
			r.probeFailed(p.Name, err)
			continue
		}
		r.probeCollected(p.Name)
	}
}
