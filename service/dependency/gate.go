package dependency

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// ErrUnavailable says that a dependency gave no answer within the budget of an operation, or is known to give none and was not
// asked.
var ErrUnavailable = errors.New("unavailable")

// ErrNever is in the error of an operation that the dependency answered, and will refuse again however often it is repeated.
var ErrNever = errors.New("will never be taken")

// ErrExhausted marks the error of an operation or a probe that the dependency has answered, and not done, since it lacks memory,
// room or connections. To repeat the operation would be in vain, and would cost the dependency what it lacks.
var ErrExhausted = errors.New("exhausted")

// Backoff between attempts within one budget, and between probes of an unavailable dependency: short against any failover,
// long enough not to flood a server that is coming up.
const (
	firstBackoff   = 10 * time.Millisecond
	longestBackoff = 100 * time.Millisecond
	probeInterval  = 100 * time.Millisecond
)

// exhaustedRest is how long a dependency is left alone that has refused an operation because it is exhausted. It does not have more at
// once, and a probe may ask for less than what it lacks: without a rest the dependency would be called well, and asked again, many
// times a second.
const exhaustedRest = time.Second

// stallBudgets is how many budgets an operation may take. One that took longer tells of this process, which must have stood
// still, and not of the dependency.
const stallBudgets = 2

// Gate is the health gate before one shared dependency: a circuit breaker that is closed again by a probe in the background.
// It gives every operation a budget, and retries the operation within that. When a budget is spent in vain the gate trips:
// the dependency is unavailable, and operations fail at once, also those under way. They go through again once a probe is
// answered. So only the requests that meet the outage first pay for it.
//
// One operation without an answer does not trip the gate: this process may be short of CPU time. Halfway through the
// operation's budget the gate has the dependency probed, and while probes are answered it keeps trying. Nor does a budget trip
// the gate that this process could not use: because it stood still, or could not work at the budget's end. Budgets end an
// operation's context by cancellation; the context has no deadline of its own.
type Gate struct {
	Options
	semaphore *deadlineSemaphore
	epoch     atomic.Pointer[epoch]
	suspected chan struct{}             // holds a token while a probe is wanted
	answered  atomic.Pointer[time.Time] // when the latest probe began that was answered
}

// epoch is the time from one change of the dependency's state to the next.
type epoch struct {
	unavailable bool
	rest        time.Duration // before the first probe
	ctx         context.Context
	end         context.CancelFunc
}

func newEpoch(unavailable bool, rest time.Duration) *epoch {
	ctx, end := context.WithCancel(context.Background())
	return &epoch{unavailable, rest, ctx, end}
}

// Options are what a Gate is made of.
type Options struct {
	Name   string
	Budget time.Duration // for one operation with all its attempts, longer only while this process is kept from working
	Slots  int           // operations at a time, the nearest deadline first; the wait for a slot is outside of any budget
	// Probe should do what is asked of the dependency at its hardest, a write that is replicated. A probe that only reads would
	// call a dependency well that no longer accepts writes.
	Probe func(context.Context) error
	// Recovered, if there is one, is called when a probe has ended an outage, before the first operation is let through.
	Recovered func()
	Log       *slog.Logger
}

// NewGate makes a Gate. Its Watch must run.
func NewGate(o Options) *Gate {
	g := &Gate{Options: o, semaphore: newDeadlineSemaphore(o.Slots), suspected: make(chan struct{}, 1)}
	g.epoch.Store(newEpoch(false, 0))
	return g
}

// Up reports whether operations are let through: the dependency answered when it was last asked.
func (g *Gate) Up() bool { return !g.unavailable() }

func (g *Gate) unavailable() bool { return g.epoch.Load().unavailable }

// change begins another epoch. It returns false if the dependency is in that state already.
func (g *Gate) change(unavailable bool, rest time.Duration) bool {
	for {
		now := g.epoch.Load()
		if now.unavailable == unavailable {
			return false
		}
		if g.epoch.CompareAndSwap(now, newEpoch(unavailable, rest)) {
			now.end()
			return true
		}
	}
}

// Do runs op until it succeeds, fails for good or the dependency is unavailable; op must be safe to repeat, and return when its
// context ends. The error is ErrUnavailable, ErrNever, or that of the caller's own context.
func (g *Gate) Do(ctx context.Context, op func(context.Context) error) error {
	if err := g.semaphore.acquire(ctx); err != nil {
		return err
	}
	defer g.semaphore.release()
	for {
		now := g.epoch.Load()
		if now.unavailable {
			return fmt.Errorf("%s: %w", g.Name, ErrUnavailable)
		}
		began := time.Now()
		err := g.attempt(ctx, now, op)
		if err == nil || ctx.Err() != nil || errors.Is(err, ErrNever) {
			return err
		}
		exhausted := errors.Is(err, ErrExhausted)
		if !exhausted && (g.epoch.Load() != now || g.answeredSince(began) || time.Since(began) > stallBudgets*g.Budget) {
			continue
		}
		g.trip(err)
		return fmt.Errorf("%s: %w: %w", g.Name, ErrUnavailable, err)
	}
}

// attempt repeats op for the length of one budget, or until the epoch ends, or the dependency is exhausted.
func (g *Gate) attempt(ctx context.Context, now *epoch, op func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer startStallTimer(g.Budget, cancel).stop()
	halfway := time.AfterFunc(g.Budget/2, g.suspect)
	defer halfway.Stop()
	defer context.AfterFunc(now.ctx, cancel)()
	for backoff := (Backoff{firstBackoff, longestBackoff}); ; {
		err := op(ctx)
		if err == nil || errors.Is(err, ErrNever) || errors.Is(err, ErrExhausted) {
			return err
		}
		if backoff.Wait(ctx) != nil {
			return err
		}
	}
}

// suspect has Watch probe.
func (g *Gate) suspect() {
	select {
	case g.suspected <- struct{}{}:
	default: // the last suspicion still waits for its probe
	}
}

func (g *Gate) answeredSince(moment time.Time) bool {
	answered := g.answered.Load()
	return answered != nil && answered.After(moment)
}

func (g *Gate) trip(cause error) {
	var rest time.Duration
	if errors.Is(cause, ErrExhausted) {
		rest = exhaustedRest
	}
	if g.change(true, rest) {
		g.Log.Warn("dependency is unavailable", "dependency", g.Name, "error", cause)
	}
	g.suspect()
}

// Watch probes the dependency when it is suspected, and repeatedly while it is unavailable. It returns when the context ends.
func (g *Gate) Watch(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.suspected:
		}
		g.epoch.Load().sleep(ctx)
		for err := g.probe(ctx); err != nil && g.unavailable(); err = g.probe(ctx) {
			backoff := Backoff{probeInterval, probeInterval}
			if errors.Is(err, ErrExhausted) {
				backoff = Backoff{exhaustedRest, exhaustedRest}
			}
			if backoff.Wait(ctx) != nil {
				return
			}
		}
	}
}

// sleep sleeps for as long as the dependency is to be left alone, or until the context or the epoch ends.
func (e *epoch) sleep(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.ctx, cancel)()
	_ = Sleep(ctx, e.rest)
}

// probe asks the dependency once. It returns nil if it answered, which ends an outage.
func (g *Gate) probe(ctx context.Context) error {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, g.Budget)
	defer cancel()
	if err := g.Probe(ctx); err != nil {
		return err
	}
	g.answered.Store(&began)
	if !g.unavailable() {
		return nil
	}
	if g.Recovered != nil {
		g.Recovered()
	}
	if g.change(false, 0) {
		g.Log.Info("dependency answers again", "dependency", g.Name)
	}
	return nil
}

// Reset lets operations through again without a probe: the outage may be over. The next operation finds out, and spends a budget
// if it is not.
func (g *Gate) Reset() {
	if g.change(false, 0) {
		g.Log.Info("dependency is asked again", "dependency", g.Name)
	}
}
