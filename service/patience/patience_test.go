package patience_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/sentinel-chaos/sentinel/service/patience"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const budget = 250 * time.Millisecond

var errDown = errors.New("down")

// server answers, hangs or fails.
type server struct{ hangs, fails atomic.Bool }

func (s *server) ask(ctx context.Context) error {
	switch {
	case s.hangs.Load():
		<-ctx.Done()
		return ctx.Err()
	case s.fails.Load():
		return errDown
	}
	return nil
}

func newLine(s *server, slots int) *patience.Line {
	return patience.NewLine(patience.Options{
		Name: "server", Budget: budget, Slots: slots, Probe: s.ask, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
}

// watch runs the line's watch for as long as the test.
func watch(t *testing.T, l *patience.Line) {
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.Watch(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
}

func TestSilenceCostsTheBudgetOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s server
		l := newLine(&s, 10)
		watch(t, l)
		s.hangs.Store(true)
		for i, want := range []time.Duration{budget, 0, 0} {
			asked := time.Now()
			err := l.Do(t.Context(), s.ask)
			if took := time.Since(asked); !errors.Is(err, patience.ErrSilent) || took != want {
				t.Errorf("operation %d: %v after %s", i, err, took)
			}
		}
		if l.Up() {
			t.Error("the line is up")
		}
	})
}

// Once one operation has found out, the others need not.
func TestSilenceEndsOperationsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s server
		l := newLine(&s, 10)
		watch(t, l)
		s.hangs.Store(true)
		began := time.Now()
		var all sync.WaitGroup
		for i := range 5 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * budget / 5)
				if err := l.Do(t.Context(), s.ask); !errors.Is(err, patience.ErrSilent) {
					t.Errorf("operation %d got %v", i, err)
				}
				if took := time.Since(began); took != budget {
					t.Errorf("operation %d ended %s after the first had begun", i, took)
				}
			})
		}
		all.Wait()
		s.hangs.Store(false)
		time.Sleep(time.Second)
		if err := l.Do(t.Context(), s.ask); err != nil {
			t.Errorf("after the silence: %v", err)
		}
	})
}

// Whoever hears from one dependency again asks the other, too, before the first operation is let through to the one.
func TestHeardFromOneTheOtherIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var here, there server
		other := newLine(&there, 10)
		var one *patience.Line
		one = patience.NewLine(patience.Options{
			Name: "server", Budget: budget, Slots: 10, Probe: here.ask, Log: slog.New(slog.DiscardHandler),
			Heard: func() {
				if one.Up() {
					t.Error("the line was up before the other silence was forgotten")
				}
				other.AskAgain()
			},
		})
		watch(t, one)
		watch(t, other)
		here.hangs.Store(true)
		there.hangs.Store(true)
		for _, l := range []*patience.Line{one, other} {
			if err := l.Do(t.Context(), func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }); !errors.Is(err, patience.ErrSilent) {
				t.Fatal(err)
			}
		}
		here.hangs.Store(false)
		time.Sleep(2 * budget)
		if !one.Up() || !other.Up() {
			t.Fatalf("up: the one %t, the other %t", one.Up(), other.Up())
		}
		for i, want := range []time.Duration{budget, 0} { // found silent for itself, and then known to be
			asked := time.Now()
			err := other.Do(t.Context(), there.ask)
			if took := time.Since(asked); !errors.Is(err, patience.ErrSilent) || took != want {
				t.Errorf("operation %d: %v after %s", i, err, took)
			}
		}
	})
}

// An operation that gets no answer while others do is not a silence.
func TestOneSlowOperationIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s server
		l := newLine(&s, 10)
		watch(t, l)
		began := time.Now()
		err := l.Do(t.Context(), func(ctx context.Context) error {
			if time.Since(began) > 3*budget {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		})
		if err != nil || !l.Up() {
			t.Errorf("got %v, up %t", err, l.Up())
		}
	})
}

// A process that stood still finds every budget spent, and nothing that was answered meanwhile.
func TestStandingStillIsNoSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s server
		l := newLine(&s, 10)
		attempts := 0
		err := l.Do(t.Context(), func(ctx context.Context) error {
			if attempts++; attempts > 1 {
				return s.ask(ctx)
			}
			time.Sleep(20 * budget)
			return ctx.Err()
		})
		if err != nil || !l.Up() {
			t.Errorf("got %v, up %t", err, l.Up())
		}
	})
}

func TestWaitingForASlotCostsNoBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s server
		l := newLine(&s, 1)
		watch(t, l)
		var all sync.WaitGroup
		for range 10 { // one after another they take far longer than one budget
			all.Go(func() {
				err := l.Do(t.Context(), func(context.Context) error {
					time.Sleep(budget * 9 / 10)
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		all.Go(func() { _ = l.Do(t.Context(), func(context.Context) error { time.Sleep(budget / 2); return nil }) })
		synctest.Wait()
		if err := l.Do(gone, s.ask); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller that had gone got %v", err)
		}
		all.Wait()
	})
}

// Whoever waits for a slot behind operations that hang fails with them.
func TestSilenceEndsTheWaitForASlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s server
		l := newLine(&s, 1)
		watch(t, l)
		s.hangs.Store(true)
		began := time.Now()
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if err := l.Do(t.Context(), s.ask); !errors.Is(err, patience.ErrSilent) || time.Since(began) != budget {
					t.Errorf("got %v after %s", err, time.Since(began))
				}
			})
		}
		all.Wait()
	})
}

func TestPassingFailureIsRetriedWithinTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s server
		l := newLine(&s, 10)
		s.fails.Store(true)
		time.AfterFunc(budget/2, func() { s.fails.Store(false) })
		if err := l.Do(t.Context(), s.ask); err != nil || !l.Up() {
			t.Errorf("got %v", err)
		}
	})
}

func TestLineNoticesThatItsServerIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s server
		l := newLine(&s, 10)
		watch(t, l)
		for range 2 {
			s.hangs.Store(true)
			_ = l.Do(t.Context(), s.ask)
			time.Sleep(time.Second)
			if l.Up() {
				t.Error("up while the server hangs")
			}
			s.hangs.Store(false)
			time.Sleep(time.Second)
			if err := l.Do(t.Context(), s.ask); err != nil {
				t.Errorf("got %v", err)
			}
		}
	})
}

func TestCallersOwnEndIsNoSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s server
		l := newLine(&s, 10)
		s.hangs.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), budget/2)
		defer cancel()
		if err := l.Do(ctx, s.ask); err == nil || !l.Up() {
			t.Errorf("got %v, up %t", err, l.Up())
		}
	})
}

func TestPauseGrowsToItsBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := patience.Pause{Next: 10 * time.Millisecond, Most: 100 * time.Millisecond}
		for range 20 {
			began, next := time.Now(), p.Next
			if err := p.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took < next/2 || took > next {
				t.Errorf("waited %s, not between half and all of %s", took, next)
			}
		}
		if p.Next != p.Most {
			t.Errorf("grew to %s", p.Next)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if p.Wait(ended) == nil {
			t.Error("waited on an ended context")
		}
	})
}
