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
	"github.com/sentinel-chaos/sentinel/service/internal/settling"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(settling.M{M: m}) }

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
		Name: "server", Budget: budget, Slots: slots, Later: 1, Probe: s.ask, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
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

// An operation that gets no answer while others do ends with its budget, and is no outage.
func TestOneSlowOperationIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s server
		g := newGate(&s, 10)
		watch(t, g)
		began := time.Now()
		err := g.Do(t.Context(), hang)
		if took := time.Since(began); !errors.Is(err, dependency.ErrLate) || took != budget || !g.Up() {
			t.Errorf("got %v after %s, up %t", err, took, g.Up())
		}
	})
}

// hang is an operation without an answer.
func hang(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// A process that stood still finds its budget spent, and nothing that was answered meanwhile.
func TestStallIsNoOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s server
		g := newGate(&s, 10)
		err := g.Do(t.Context(), func(ctx context.Context) error {
			time.Sleep(20 * budget)
			return ctx.Err()
		})
		if !errors.Is(err, dependency.ErrLate) || !g.Up() {
			t.Errorf("got %v, up %t", err, g.Up())
		}
	})
}

// Whoever waits for a slot has no more time than anybody else, and says nothing of a server that it could not ask.
func TestWaitForASlotIsInTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s server
		g := newGate(&s, 1)
		watch(t, g)
		const takes, asked = budget * 2 / 5, 10 // one after another, two are done in time
		var done, late atomic.Int64
		var all sync.WaitGroup
		for range asked {
			all.Go(func() {
				began := time.Now()
				err := g.Do(t.Context(), func(ctx context.Context) error { return dependency.Sleep(ctx, takes) })
				switch took := time.Since(began); {
				case took > budget:
					t.Errorf("it took %s", took)
				case err == nil:
					done.Add(1)
				case errors.Is(err, dependency.ErrLate):
					late.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if done.Load() != 2 || late.Load() != asked-2 || !g.Up() {
			t.Errorf("%d were done and %d late, up %t", done.Load(), late.Load(), g.Up())
		}
	})
}

func TestCallerWhoLeavesWaitsForNoSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s server
		g := newGate(&s, 1)
		var all sync.WaitGroup
		all.Go(func() { _ = g.Do(t.Context(), func(context.Context) error { time.Sleep(budget / 2); return nil }) })
		synctest.Wait()
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if err := g.Do(gone, s.ask); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller that had gone got %v", err)
		}
		all.Wait()
	})
}

// However much there is to do in the background, a request finds a slot, and the other way round.
func TestBackgroundHasSlotsOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s server
		g := newGate(&s, 1)
		watch(t, g)
		slow := func(ctx context.Context) error { return dependency.Sleep(ctx, budget/2) }
		for name, contexts := range map[string][2]context.Context{
			"a request":           {dependency.InBackground(t.Context()), t.Context()},
			"work for nobody yet": {t.Context(), dependency.InBackground(t.Context())},
		} {
			many, one := contexts[0], contexts[1]
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() { _ = g.Do(many, slow) })
			}
			synctest.Wait()
			began := time.Now()
			if err := g.Do(one, s.ask); err != nil || time.Since(began) != 0 {
				t.Errorf("%s got %v after %s", name, err, time.Since(began))
			}
			all.Wait()
		}
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
		for i := range 10 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * budget / 10)
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
		var probed atomic.Int64
		var full atomic.Bool
		full.Store(true)
		ask := func(context.Context) error {
			if full.Load() {
				return dependency.ErrExhausted
			}
			return nil
		}
		g := dependency.NewGate(dependency.Options{Name: "server", Budget: budget, Slots: 10, Log: slog.New(slog.DiscardHandler),
			Probe: func(ctx context.Context) error { probed.Add(1); return ask(ctx) }})
		watch(t, g)
		_ = g.Do(t.Context(), ask)
		time.Sleep(10*time.Second + time.Millisecond)
		if n := probed.Load(); n < 9 || n > 20 || g.Up() {
			t.Errorf("probed %d times in 10 s, up %t", n, g.Up())
		}
		full.Store(false)
		time.Sleep(time.Second)
		if !g.Up() {
			t.Error("not up a second after it has room again")
		}
	})
}

// A reset ends the rest: whoever finds the server silent then has it probed at once, and one that answers is not unavailable.
func TestResetEndsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s server
		g := newGate(&s, 10)
		watch(t, g)
		_ = g.Do(t.Context(), func(context.Context) error { return dependency.ErrExhausted })
		synctest.Wait()
		g.Reset()
		if err := g.Do(t.Context(), hang); !errors.Is(err, dependency.ErrLate) || !g.Up() {
			t.Errorf("got %v, up %t", err, g.Up())
		}
	})
}

// However often an outage begins and ends meanwhile, an operation has one budget.
func TestFlappingServerCostsOneBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s server
		g := newGate(&s, 10)
		stop := make(chan struct{})
		var all sync.WaitGroup
		all.Go(func() {
			full := func(context.Context) error { return dependency.ErrExhausted }
			for {
				select {
				case <-stop:
					return
				case <-time.After(budget / 7):
					_ = g.Do(t.Context(), full)
					g.Reset()
				}
			}
		})
		began := time.Now()
		err := g.Do(t.Context(), hang)
		if took := time.Since(began); err == nil || took > budget {
			t.Errorf("got %v after %s", err, took)
		}
		close(stop)
		all.Wait()
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
