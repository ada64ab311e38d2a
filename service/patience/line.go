package patience

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// ErrSilent says that a dependency did not answer, however often it was asked, until the budget was spent; or that it
// is known not to answer and was not asked.
var ErrSilent = errors.New("silent")

// Pauses between attempts within one budget, and between probes of a silent dependency: short against any failover, long
// enough not to flood a server that is coming up.
const (
	firstPause   = 10 * time.Millisecond
	longestPause = 100 * time.Millisecond
	probePause   = 100 * time.Millisecond
)

// An operation that took this many budgets says more of this process, which must have stood still, than of the dependency.
const stoodStillFor = 2

// Line is the way to one shared dependency. It gives every operation a budget, retries it within that, and remembers
// a silence: from then on operations fail at once, those under way too, until a probe in the background is answered. So only
// the requests that meet the silence first pay for it.
//
// One operation without an answer is not yet a silence: this process may be short of CPU time. So halfway through its budget
// it has the dependency probed, and while probes are answered it keeps trying. Nor is a budget a silence that was spent while
// the process stood still, or ends while it is kept from working: it says nothing of the dependency. Budgets end an operation's context by cancellation; it
// has no deadline of its own.
type Line struct {
	Options
	turns  *turns
	spell  atomic.Pointer[spell]
	doubts chan struct{}
	proof  atomic.Pointer[time.Time] // when the latest probe began that was answered
}

// spell is the time from one change of the dependency's state to the next.
type spell struct {
	silent bool
	ctx    context.Context
	end    context.CancelFunc
}

func newSpell(silent bool) *spell {
	ctx, end := context.WithCancel(context.Background())
	return &spell{silent, ctx, end}
}

// Options are what a Line is made of.
type Options struct {
	Name   string
	Budget time.Duration // for one operation with all its attempts, longer only while this process is kept from working
	Slots  int           // operations at a time, the nearest deadline first; waiting for one counts against nobody's budget
	// Probe should do what is asked of the dependency at its hardest, a write that is replicated: one that only reads would
	// declare a dependency well that no longer accepts writes.
	Probe func(context.Context) error
	// Heard, if there is one, is called when a probe has ended a silence, before the first operation is let through.
	Heard func()
	Log   *slog.Logger
}

// NewLine makes a Line. Its Watch must run.
func NewLine(o Options) *Line {
	l := &Line{Options: o, turns: newTurns(o.Slots), doubts: make(chan struct{}, 1)}
	l.spell.Store(newSpell(false))
	return l
}

// Up says whether the dependency answered when it was last asked.
func (l *Line) Up() bool { return !l.silent() }

func (l *Line) silent() bool { return l.spell.Load().silent }

// turn begins another spell. It returns false if the dependency is in that state already.
func (l *Line) turn(silent bool) bool {
	for {
		now := l.spell.Load()
		if now.silent == silent {
			return false
		}
		if l.spell.CompareAndSwap(now, newSpell(silent)) {
			now.end()
			return true
		}
	}
}

// Do runs op until it succeeds or the dependency is silent; op must be safe to repeat, and return when its context ends. An
// error is ErrSilent, or the caller's own context's.
func (l *Line) Do(ctx context.Context, op func(context.Context) error) error {
	if err := l.turns.take(ctx); err != nil {
		return err
	}
	defer l.turns.give()
	for {
		now := l.spell.Load()
		if now.silent {
			return fmt.Errorf("%s: %w", l.Name, ErrSilent)
		}
		began := time.Now()
		err := l.attempt(ctx, now, op)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if l.spell.Load() != now || l.answeredSince(began) || time.Since(began) > stoodStillFor*l.Budget {
			continue
		}
		l.fall(err)
		return fmt.Errorf("%s: %w: %w", l.Name, ErrSilent, err)
	}
}

// attempt repeats op for the length of one budget, or until the spell is over.
func (l *Line) attempt(ctx context.Context, now *spell, op func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer startCountdown(l.Budget, cancel).stop()
	doubt := time.AfterFunc(l.Budget/2, l.doubt)
	defer doubt.Stop()
	defer context.AfterFunc(now.ctx, cancel)()
	for pause := (Pause{firstPause, longestPause}); ; {
		err := op(ctx)
		if err == nil {
			return nil
		}
		if pause.Wait(ctx) != nil {
			return err
		}
	}
}

// doubt has Watch probe.
func (l *Line) doubt() {
	select {
	case l.doubts <- struct{}{}:
	default: // it has not yet taken the last one, and will probe anyway
	}
}

func (l *Line) answeredSince(moment time.Time) bool {
	proof := l.proof.Load()
	return proof != nil && proof.After(moment)
}

func (l *Line) fall(cause error) {
	if l.turn(true) {
		l.Log.Warn("dependency is silent", "dependency", l.Name, "error", cause)
	}
	l.doubt()
}

// Watch probes the dependency when somebody doubts it, and on while it is silent. It returns when the context ends.
func (l *Line) Watch(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.doubts:
		}
		for !l.answers(ctx) && l.silent() {
			pause := Pause{probePause, probePause}
			if pause.Wait(ctx) != nil {
				return
			}
		}
	}
}

// answers probes once, and ends a silence.
func (l *Line) answers(ctx context.Context) bool {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, l.Budget)
	defer cancel()
	if l.Probe(ctx) != nil {
		return false
	}
	l.proof.Store(&began)
	if !l.silent() {
		return true
	}
	if l.Heard != nil {
		l.Heard()
	}
	if l.turn(false) {
		l.Log.Info("dependency answers again", "dependency", l.Name)
	}
	return true
}

// AskAgain ends a silence without a probe: it may be over, and the next operation shall find out, for a budget if it is not.
func (l *Line) AskAgain() {
	if l.turn(false) {
		l.Log.Info("dependency is asked again", "dependency", l.Name)
	}
}
