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
	firstPause   = 5 * time.Millisecond
	longestPause = 50 * time.Millisecond
	probePause   = 100 * time.Millisecond
)

// Line is the way to one shared dependency. It gives every operation a budget, retries it within that, and remembers
// a silence: from then on operations fail at once, until a probe in the background is answered. So only the requests
// that meet the silence first pay for it.
type Line struct {
	name   string
	budget time.Duration
	probe  func(context.Context) error
	silent atomic.Bool
	fallen chan struct{}
	log    *slog.Logger
}

// NewLine makes a Line. The probe should do what is asked of the dependency at its hardest, a write that is replicated:
// a probe that only reads would declare a dependency well that no longer accepts writes.
func NewLine(name string, budget time.Duration, probe func(context.Context) error, log *slog.Logger) *Line {
	return &Line{name: name, budget: budget, probe: probe, fallen: make(chan struct{}, 1), log: log}
}

// Up says whether the dependency answered when it was last asked.
func (l *Line) Up() bool { return !l.silent.Load() }

// Do runs op until it succeeds or the budget is spent; op must be safe to repeat. An error is ErrSilent, or the caller's
// own context's.
func (l *Line) Do(ctx context.Context, op func(context.Context) error) error {
	if l.silent.Load() {
		return fmt.Errorf("%s: %w", l.name, ErrSilent)
	}
	err := l.attempt(ctx, op)
	if err == nil || ctx.Err() != nil {
		return err
	}
	l.fall(err)
	return fmt.Errorf("%s: %w: %w", l.name, ErrSilent, err)
}

func (l *Line) attempt(ctx context.Context, op func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, l.budget)
	defer cancel()
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

func (l *Line) fall(cause error) {
	if l.silent.Swap(true) {
		return
	}
	l.log.Warn("dependency is silent", "dependency", l.name, "error", cause)
	select {
	case l.fallen <- struct{}{}:
	default: // Watch has not yet taken the last one and will probe anyway
	}
}

// Watch probes the dependency while it is silent. It returns when the context ends.
func (l *Line) Watch(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.fallen:
		}
		for !l.answers(ctx) {
			pause := Pause{probePause, probePause}
			if pause.Wait(ctx) != nil {
				return
			}
		}
		l.silent.Store(false)
		l.log.Info("dependency answers again", "dependency", l.name)
	}
}

func (l *Line) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, l.budget)
	defer cancel()
	return l.probe(ctx) == nil
}
