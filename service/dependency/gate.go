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

// ErrLate says that a dependency which answers others gave this operation no answer within its budget, or that all slots were taken
// for so long. The operation may have happened.
var ErrLate = errors.New("no answer within the budget")

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

// stallBudgets is how many budgets an operation may take without an answer to tell of the dependency. One that took longer tells of this
// process, which must have stood still: a budget ends after mostLengths at the latest.
const stallBudgets = mostLengths + 1

// Gate is the health gate before one shared dependency: a circuit breaker that is closed again by a probe in the background.
// It gives every operation one budget, from the moment it asks, with its wait for a slot in it, and retries the operation within that.
// When a budget is spent in vain the gate trips: the dependency is unavailable, and operations fail at once, also those under way.
// They go through again once a probe is answered. So only the requests that meet the outage first pay for it.
//
// One operation without an answer fails, and does not trip the gate: this process may be short of CPU time, or of slots. Halfway
// through the operation's budget the gate has the dependency probed. If a probe was answered, or if the operation could not ask for
// half of its budget, it was late, and says nothing of the dependency. Nor does a budget trip the gate over whose end this process stood
// still. A budget is longer while this process cannot work at its end, mostLengths times at most. Budgets end an operation's
// context by cancellation; the context has no deadline of its own.
//
// Work that no request waits for (InBackground) has slots of its own, so that it never takes the turn of a request.
type Gate struct {
	Options
	requests  *deadlineSemaphore
	later     *deadlineSemaphore // of work in the background
	epoch     atomic.Pointer[epoch]
	suspected chan struct{}             // holds a token while a probe is wanted
	answered  atomic.Pointer[time.Time] // when the latest probe began that was answered
}

// epoch is the time from one change of the dependency's state to the next.
type epoch struct {
	began       time.Time // zero for the first one
	unavailable bool
	rest        time.Duration // before the first probe
	ctx         context.Context
	end         context.CancelFunc
}

func newEpoch(began time.Time, unavailable bool, rest time.Duration) *epoch {
	ctx, end := context.WithCancel(context.Background())
	return &epoch{began, unavailable, rest, ctx, end}
}

// Options are what a Gate is made of.
type Options struct {
	Name   string
	Budget time.Duration // for one operation with its wait for a slot and all its attempts, longer only while this process is kept from working
	Slots  int           // operations of requests at a time, the nearest deadline first
	Later  int           // operations at a time that no request waits for, beside these
	// Probe should do what is asked of the dependency at its hardest, a write that is replicated. A probe that only reads would
	// call a dependency well that no longer accepts writes.
	Probe func(context.Context) error
	// Recovered, if there is one, is called when a probe has ended an outage, before the first operation is let through.
	Recovered func()
	Log       *slog.Logger
}

// NewGate makes a Gate. Its Watch must run.
func NewGate(o Options) *Gate {
	g := &Gate{Options: o, requests: newDeadlineSemaphore(o.Slots), later: newDeadlineSemaphore(o.Later), suspected: make(chan struct{}, 1)}
	g.epoch.Store(newEpoch(time.Time{}, false, 0))
	return g
}

// Up reports whether operations are let through: the dependency answered when it was last asked.
func (g *Gate) Up() bool { return !g.unavailable() }

// UpSince returns when the last outage ended, or the zero time if there was none. It says nothing while the dependency is unavailable.
func (g *Gate) UpSince() time.Time { return g.epoch.Load().began }

func (g *Gate) unavailable() bool { return g.epoch.Load().unavailable }

// change begins another epoch. It returns false if the dependency is in that state already.
func (g *Gate) change(unavailable bool, rest time.Duration) bool {
	for {
		now := g.epoch.Load()
		if now.unavailable == unavailable {
			return false
		}
		if g.epoch.CompareAndSwap(now, newEpoch(time.Now(), unavailable, rest)) {
			now.end()
			return true
		}
	}
}

// inBackground marks the context of work that no request waits for.
type inBackground struct{}

// InBackground returns a context for work that no request waits for. It gets to a dependency by slots of its own.
func InBackground(ctx context.Context) context.Context {
	return context.WithValue(ctx, inBackground{}, true)
}

func (g *Gate) slots(ctx context.Context) *deadlineSemaphore {
	if ctx.Value(inBackground{}) != nil {
		return g.later
	}
	return g.requests
}

// Do runs op until it succeeds or fails for good, its budget is spent or the dependency is unavailable; op must be safe to repeat, and
// return when its context ends. The error is ErrUnavailable, ErrLate, ErrNever, or that of the caller's own context.
func (g *Gate) Do(ctx context.Context, op func(context.Context) error) error {
	began := time.Now()
	budget, cancel := context.WithCancel(ctx)
	defer cancel()
	defer startStallTimer(g.Budget, cancel).stop()
	defer time.AfterFunc(g.Budget/2, g.suspect).Stop()
	for {
		now := g.epoch.Load()
		if now.unavailable {
			return fmt.Errorf("%s: %w", g.Name, ErrUnavailable)
		}
		asked, err := g.attempt(budget, now, op)
		switch {
		case err == nil || ctx.Err() != nil || errors.Is(err, ErrNever):
			return err
		case errors.Is(err, ErrExhausted):
		case g.epoch.Load() != now:
			continue
		case asked < g.Budget/2 || g.answeredSince(began) || time.Since(began) > stallBudgets*g.Budget:
			return fmt.Errorf("%s: %w: %w", g.Name, ErrLate, err)
		}
		g.trip(err)
		return fmt.Errorf("%s: %w: %w", g.Name, ErrUnavailable, err)
	}
}

// attempt waits for a slot, and repeats op until the budget or the epoch ends, or the dependency is exhausted. It returns for how long
// the dependency was asked.
func (g *Gate) attempt(budget context.Context, now *epoch, op func(context.Context) error) (asked time.Duration, err error) {
	ctx, cancel := context.WithCancel(budget)
	defer cancel()
	defer context.AfterFunc(now.ctx, cancel)()
	slots := g.slots(ctx)
	if err := slots.acquire(ctx); err != nil {
		return 0, err
	}
	defer slots.release()
	began := time.Now()
	for backoff := (Backoff{firstBackoff, longestBackoff}); ; {
		err := op(ctx)
		if err == nil || errors.Is(err, ErrNever) || errors.Is(err, ErrExhausted) || backoff.Wait(ctx) != nil {
			return time.Since(began), err
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
