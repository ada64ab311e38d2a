package dependency_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/sentinel-chaos/sentinel/service/dependency"
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

func newGate(s *server, slots int) *dependency.Gate {
	return dependency.NewGate(dependency.Options{
		Name: "server", Budget: budget, Slots: slots, Probe: s.ask, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
}

// watch runs the gate's watch for as long as the test.
func watch(t *testing.T, g *dependency.Gate) {
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		g.Watch(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
}

func TestOutageCostsTheBudgetOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s server
		g := newGate(&s, 10)
		watch(t, g)
		s.hangs.Store(true)
		for i, want := range []time.Duration{budget, 0, 0} {
			asked := time.Now()
			err := g.Do(t.Context(), s.ask)
			if took := time.Since(asked); !errors.Is(err, dependency.ErrUnavailable) || took != want {
				t.Errorf("operation %d: %v after %s", i, err, took)
			}
		}
		if g.Up() {
			t.Error("the gate is open")
		}
	})
}

// Once one operation has found out, the others need not.
func TestOutageEndsOperationsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s server
		g := newGate(&s, 10)
		watch(t, g)
		s.hangs.Store(true)
		began := time.Now()
		var all sync.WaitGroup
		for i := range 5 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * budget / 5)
				if err := g.Do(t.Context(), s.ask); !errors.Is(err, dependency.ErrUnavailable) {
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
		if err := g.Do(t.Context(), s.ask); err != nil {
			t.Errorf("after the outage: %v", err)
		}
	})
}

// The recovery of one dependency resets the gate of the other before the first operation is let through to the one.
func TestRecoveryOfOneResetsTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var here, there server
		other := newGate(&there, 10)
		var one *dependency.Gate
		one = dependency.NewGate(dependency.Options{
			Name: "server", Budget: budget, Slots: 10, Probe: here.ask, Log: slog.New(slog.DiscardHandler),
			Recovered: func() {
				if one.Up() {
					t.Error("the gate was open before the other outage was forgotten")
				}
				other.Reset()
			},
		})
		watch(t, one)
		watch(t, other)
		here.hangs.Store(true)
		there.hangs.Store(true)
		for _, g := range []*dependency.Gate{one, other} {
			if err := g.Do(t.Context(), func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }); !errors.Is(err, dependency.ErrUnavailable) {
				t.Fatal(err)
			}
		}
		here.hangs.Store(false)
		time.Sleep(2 * budget)
		if !one.Up() || !other.Up() {
			t.Fatalf("up: the one %t, the other %t", one.Up(), other.Up())
		}
		for i, want := range []time.Duration{budget, 0} { // found out by itself, and then known
			asked := time.Now()
			err := other.Do(t.Context(), there.ask)
			if took := time.Since(asked); !errors.Is(err, dependency.ErrUnavailable) || took != want {
				t.Errorf("operation %d: %v after %s", i, err, took)
			}
		}
	})
}

// An operation that gets no answer while others do is no outage.
func TestOneSlowOperationIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s server
		g := newGate(&s, 10)
		watch(t, g)
		began := time.Now()
		err := g.Do(t.Context(), func(ctx context.Context) error {
			if time.Since(began) > 3*budget {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		})
		if err != nil || !g.Up() {
			t.Errorf("got %v, up %t", err, g.Up())
		}
	})
}

// A process that stood still finds every budget spent, and nothing that was answered meanwhile.
func TestStallIsNoOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s server
		g := newGate(&s, 10)
		attempts := 0
		err := g.Do(t.Context(), func(ctx context.Context) error {
			if attempts++; attempts > 1 {
				return s.ask(ctx)
			}
			time.Sleep(20 * budget)
			return ctx.Err()
		})
		if err != nil || !g.Up() {
			t.Errorf("got %v, up %t", err, g.Up())
		}
	})
}

func TestWaitingForASlotCostsNoBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s server
		g := newGate(&s, 1)
		watch(t, g)
		var all sync.WaitGroup
		for range 10 { // one after another they take far longer than one budget
			all.Go(func() {
				err := g.Do(t.Context(), func(context.Context) error {
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
		all.Go(func() { _ = g.Do(t.Context(), func(context.Context) error { time.Sleep(budget / 2); return nil }) })
		synctest.Wait()
		if err := g.Do(gone, s.ask); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller that had gone got %v", err)
		}
		all.Wait()
	})
}

// Whoever waits for a slot behind operations that hang fails with them.
func TestOutageEndsTheWaitForASlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s server
		g := newGate(&s, 1)
		watch(t, g)
		s.hangs.Store(true)
		began := time.Now()
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if err := g.Do(t.Context(), s.ask); !errors.Is(err, dependency.ErrUnavailable) || time.Since(began) != budget {
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
		g := newGate(&s, 10)
		s.fails.Store(true)
		time.AfterFunc(budget/2, func() { s.fails.Store(false) })
		if err := g.Do(t.Context(), s.ask); err != nil || !g.Up() {
			t.Errorf("got %v", err)
		}
	})
}

func TestGateNoticesThatItsServerIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s server
		g := newGate(&s, 10)
		watch(t, g)
		for range 2 {
			s.hangs.Store(true)
			_ = g.Do(t.Context(), s.ask)
			time.Sleep(time.Second)
			if g.Up() {
				t.Error("up while the server hangs")
			}
			s.hangs.Store(false)
			time.Sleep(time.Second)
			if err := g.Do(t.Context(), s.ask); err != nil {
				t.Errorf("got %v", err)
			}
		}
	})
}

// An exhausted server is not asked the same thing again, whatever its probes say, and is left alone for a while.
func TestExhaustedServerIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s server
		asked := 0
		g := newGate(&s, 10)
		watch(t, g)
		full := func(context.Context) error {
			asked++
			return fmt.Errorf("no room: %w", dependency.ErrExhausted)
		}
		began := time.Now()
		for range 2 {
			if err := g.Do(t.Context(), full); !errors.Is(err, dependency.ErrUnavailable) {
				t.Errorf("got %v", err)
			}
		}
		if asked != 1 || g.Up() || time.Since(began) != 0 {
			t.Errorf("asked %d times, up %t, after %s", asked, g.Up(), time.Since(began))
		}
		time.Sleep(time.Second - time.Millisecond)
		if g.Up() {
			t.Error("up before its rest was over")
		}
		time.Sleep(2 * time.Millisecond)
		if err := g.Do(t.Context(), s.ask); err != nil {
			t.Errorf("after its rest: %v", err)
		}
	})
}

// Who probes an exhausted server in vain comes again less often than with one that is silent.
func TestExhaustedServerIsProbedSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		probed := 0
		var full atomic.Bool
		full.Store(true)
		ask := func(context.Context) error {
			if full.Load() {
				return dependency.ErrExhausted
			}
			return nil
		}
		g := dependency.NewGate(dependency.Options{Name: "server", Budget: budget, Slots: 10, Log: slog.New(slog.DiscardHandler),
			Probe: func(ctx context.Context) error { probed++; return ask(ctx) }})
		watch(t, g)
		_ = g.Do(t.Context(), ask)
		time.Sleep(10*time.Second + time.Millisecond)
		if probed < 9 || probed > 20 || g.Up() {
			t.Errorf("probed %d times in 10 s, up %t", probed, g.Up())
		}
		full.Store(false)
		time.Sleep(time.Second)
		if !g.Up() {
			t.Error("not up a second after it has room again")
		}
	})
}

// A reset ends the rest: whoever finds the server silent then has it probed at once.
func TestResetEndsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s server
		g := newGate(&s, 10)
		watch(t, g)
		_ = g.Do(t.Context(), func(context.Context) error { return dependency.ErrExhausted })
		synctest.Wait()
		g.Reset()
		began := time.Now()
		err := g.Do(t.Context(), func(ctx context.Context) error { // slow, while probes are answered
			if time.Since(began) > 2*budget {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		})
		if err != nil || !g.Up() {
			t.Errorf("got %v, up %t", err, g.Up())
		}
	})
}

func TestCallersOwnEndIsNoOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s server
		g := newGate(&s, 10)
		s.hangs.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), budget/2)
		defer cancel()
		if err := g.Do(ctx, s.ask); err == nil || !g.Up() {
			t.Errorf("got %v, up %t", err, g.Up())
		}
	})
}

func TestBackoffGrowsToItsBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := dependency.Backoff{Next: 10 * time.Millisecond, Most: 100 * time.Millisecond}
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

// What the dependency will never take is asked once, and says nothing of the dependency.
func TestRefusalForGoodIsNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s server
		g := newGate(&s, 1)
		watch(t, g)
		asked, began := 0, time.Now()
		err := g.Do(t.Context(), func(context.Context) error {
			asked++
			return fmt.Errorf("%w: no such value", dependency.ErrNever)
		})
		if !errors.Is(err, dependency.ErrNever) || asked != 1 || time.Since(began) != 0 || !g.Up() {
			t.Errorf("%v after %d attempts and %s, up %t", err, asked, time.Since(began), g.Up())
		}
	})
}
