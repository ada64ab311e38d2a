package fault_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/fault"
	"github.com/sentinel-chaos/sentinel/harness/probe"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// proc is a process that ends some time after SIGTERM, or never.
type proc struct {
	env.Proc
	dies time.Duration // after SIGTERM; 0 for never
	deaf bool          // signals do nothing at all
	late bool          // it ends by itself before SIGKILL arrives, which is refused then

	mu     sync.Mutex
	ended  chan struct{}
	exit   env.Exit
	starts int
}

func newProc(dies time.Duration) *proc {
	return &proc{dies: dies, ended: make(chan struct{}), starts: 1}
}

func (p *proc) Start(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = make(chan struct{})
	p.starts++
	return nil
}

func (p *proc) Signal(_ context.Context, s env.Signal) error {
	switch {
	case p.deaf && s == env.Term:
	case s == env.Kill && p.late:
		p.end(1)
		return errors.New("it is not running")
	case s == env.Kill:
		p.end(137)
	case s == env.Term && p.dies > 0:
		time.AfterFunc(p.dies, func() { p.end(0) })
	}
	return nil
}

func (p *proc) end(code int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.ended:
	default:
		p.exit = env.Exit{Code: code, At: time.Now()}
		close(p.ended)
	}
}

func (p *proc) Wait(ctx context.Context) (env.Exit, error) {
	p.mu.Lock()
	ended := p.ended
	p.mu.Unlock()
	select {
	case <-ctx.Done():
		return env.Exit{}, ctx.Err()
	case <-ended:
		return p.exit, nil
	}
}

// driver launches the procs it was given.
type driver struct {
	env.Driver
	procs map[string]*proc
}

func (driver) Name() string { return "plain" }

func (driver) Addr(string) (string, error) { return "", nil }

func (d driver) Launch(_ context.Context, s env.Spec) (env.Proc, error) { return d.procs[s.Name], nil }

const grace = 10 * time.Second

func newEnv(t *testing.T, procs map[string]*proc) *env.Env {
	t.Helper()
	e := env.New(driver{procs: procs}, 1, t.Logf)
	e.SetParam(evidence.ParamGrace, grace)
	for name := range procs {
		if _, err := e.Launch(t.Context(), env.Spec{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

// execute runs the plan from one second after the epoch and returns what was recorded.
func execute(ctx context.Context, t *testing.T, p fault.Plan, e *env.Env) ([]evidence.Injection, error) {
	t.Helper()
	dir := t.TempDir()
	rec, err := evidence.NewRecorder(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := rec.WritePlan(evidence.Plan{}); err != nil {
		t.Fatal(err)
	}
	failed := p.Run(ctx, time.Second, e, rec, 1)
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	run, err := evidence.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return evidence.Injections.Of(run), failed
}

// noted is a fault that notes when it is injected and healed.
type noted struct {
	began time.Time
	mu    sync.Mutex
	log   []string
}

func (n *noted) note(what string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.log = append(n.log, what+" "+time.Since(n.began).String())
}

func (n *noted) fault(name string) fault.Fault {
	return fault.Fault{Name: name, Inject: func(context.Context, *env.Env, *rand.Rand) (fault.Injected, error) {
		n.note("break " + name)
		return fault.Injected{Target: name, Undo: func(ctx context.Context) error {
			n.note("heal " + name)
			return ctx.Err() // a heal never gets a context that has ended
		}}, nil
	}}
}

func TestPlanKeepsItsTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &noted{began: time.Now()}
		p := fault.Plan{{At: 5 * time.Second, For: 3 * time.Second, Fault: n.fault("b")}, {At: 2 * time.Second, For: 4 * time.Second, Fault: n.fault("a")}}
		got, err := execute(t.Context(), t, p, newEnv(t, nil))
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{"break a 3s", "break b 6s", "heal a 7s", "heal b 9s"}; !slices.Equal(n.log, want) {
			t.Errorf("%v, want %v", n.log, want)
		}
		want := []evidence.Injection{{Fault: "a", Target: "a", Ordered: 3 * time.Second, Healing: 7 * time.Second},
			{Fault: "b", Target: "b", Ordered: 6 * time.Second, Healing: 9 * time.Second}}
		if !slices.Equal(got, want) {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
}

// TestWhatItDoesIsRecorded, of a kind that no check knows.
func TestWhatItDoesIsRecorded(t *testing.T) {
	for _, c := range []struct{ ends, silences bool }{{false, false}, {true, false}, {false, true}} {
		synctest.Test(t, func(t *testing.T) {
			f := (&noted{began: time.Now()}).fault("a")
			f.Ends, f.Silences = c.ends, c.silences
			got, err := execute(t.Context(), t, fault.Plan{{Fault: f}}, newEnv(t, nil))
			if err != nil || len(got) != 1 || got[0].Ends != c.ends || got[0].Silences != c.silences {
				t.Errorf("%+v, %v; want %+v", got, err, c)
			}
		})
	}
}

// TestEndHealsInReverse: what is broken when the run is cut short is healed, the last first, each recorded once, and nothing
// more is broken.
func TestEndHealsInReverse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &noted{began: time.Now()}
		p := fault.Plan{{At: 0, For: time.Hour, Fault: n.fault("a")}, {At: time.Second, For: time.Hour, Fault: n.fault("b")},
			{At: 2 * time.Second, For: time.Hour, Fault: n.fault("c")}, {At: time.Minute, Fault: n.fault("never")}}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		got, err := execute(ctx, t, p, newEnv(t, nil))
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"break a 1s", "break b 2s", "break c 3s", "heal c 10s", "heal b 10s", "heal a 10s"}
		if !slices.Equal(n.log, want) {
			t.Errorf("%v, want %v", n.log, want)
		}
		if len(got) != 3 || got[0].Healing != 10*time.Second {
			t.Errorf("%+v", got)
		}
	})
}

// TestHealsAreBounded: a heal that hangs can not hold up the end for ever.
func TestHealsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := fault.Fault{Name: "stuck", Inject: func(context.Context, *env.Env, *rand.Rand) (fault.Injected, error) {
			return fault.Injected{Target: "x", Undo: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}, nil
		}}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		began := time.Now()
		got, err := execute(ctx, t, fault.Plan{{For: time.Hour, Fault: stuck}}, newEnv(t, nil))
		if !errors.Is(err, context.DeadlineExceeded) || len(got) != 1 || got[0].Undo == "" {
			t.Errorf("%+v, %v", got, err)
		}
		if took := time.Since(began); took > 2*time.Minute {
			t.Errorf("took %s", took)
		}
	})
}

// TestPanicsAreHealed: an injector or a heal that panics is recorded as one that failed, and everything else is healed, in its
// order.
func TestPanicsAreHealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &noted{began: time.Now()}
		inject := n.fault("inject")
		inject.Inject = func(context.Context, *env.Env, *rand.Rand) (fault.Injected, error) { panic("no such map") }
		heal := n.fault("heal")
		heal.Inject = func(context.Context, *env.Env, *rand.Rand) (fault.Injected, error) {
			return fault.Injected{Target: "heal", Undo: func(context.Context) error { panic("nil pointer") }}, nil
		}
		p := fault.Plan{{At: 0, For: time.Hour, Fault: n.fault("a")}, {At: time.Second, For: time.Hour, Fault: inject},
			{At: 2 * time.Second, For: time.Hour, Fault: heal}, {At: 3 * time.Second, For: time.Hour, Fault: n.fault("b")}}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		got, err := execute(ctx, t, p, newEnv(t, nil))
		if err == nil || !strings.Contains(err.Error(), "no such map") || !strings.Contains(err.Error(), "nil pointer") {
			t.Errorf("%v", err)
		}
		if want := []string{"break a 1s", "break b 4s", "heal b 10s", "heal a 10s"}; !slices.Equal(n.log, want) {
			t.Errorf("%v, want %v", n.log, want)
		}
		if len(got) != 4 || !strings.Contains(got[1].Error, "no such map") || !strings.Contains(got[2].Undo, "nil pointer") {
			t.Errorf("%+v", got)
		}
	})
}

func TestAFailedInjectionIsHealedAndRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken, healed := errors.New("engine gone"), false
		f := fault.Fault{Name: "f", Inject: func(context.Context, *env.Env, *rand.Rand) (fault.Injected, error) {
			return fault.Injected{Target: "x", Undo: func(context.Context) error { healed = true; return nil }}, broken
		}}
		got, err := execute(t.Context(), t, fault.Plan{{For: time.Hour, Fault: f}}, newEnv(t, nil))
		if !errors.Is(err, broken) || !healed || len(got) != 1 || got[0].Error != "engine gone" || got[0].Target != "x" {
			t.Errorf("%+v, %v, healed %t", got, err, healed)
		}
	})
}

// TestSeedDecides: what a fault draws depends on the seed and its place in the plan, not on timing.
func TestSeedDecides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		draws := func(first, second time.Duration) (drawn [2]uint64) {
			var p fault.Plan
			for i, at := range []time.Duration{first, second} {
				p = append(p, fault.Step{At: at, Fault: fault.Fault{Inject: func(_ context.Context, _ *env.Env, r *rand.Rand) (fault.Injected, error) {
					drawn[i] = r.Uint64()
					return fault.Injected{}, nil
				}}})
			}
			if _, err := execute(t.Context(), t, p, newEnv(t, nil)); err != nil {
				t.Fatal(err)
			}
			return drawn
		}
		one, other := draws(1, 2), draws(2, 1)
		if one != other || one[0] == one[1] {
			t.Errorf("%v and %v", one, other)
		}
	})
}

// TestRestarts: Term and Kill end a node and bring it back, whatever it does.
func TestRestarts(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault fault.Fault
		proc  *proc
		code  int
		ended time.Duration // after the order
	}{
		{"SIGTERM obeyed", fault.Term(fault.Node("x-1")), newProc(700 * time.Millisecond), 0, 700 * time.Millisecond},
		{"SIGTERM obeyed late", fault.Term(fault.Node("x-1")), newProc(grace + time.Second/2), 0, grace + time.Second/2},
		{"SIGTERM ignored", fault.Term(fault.Node("x-1")), newProc(0), 137, grace + time.Second},
		{"SIGTERM obeyed as SIGKILL was sent", fault.Term(fault.Node("x-1")), &proc{late: true, starts: 1}, 1, grace + time.Second},
		{"SIGKILL", fault.Kill(fault.Node("x-1")), newProc(0), 137, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.proc.ended = make(chan struct{}) // of this bubble
				ordered := time.Now().Add(time.Second)
				got, err := execute(t.Context(), t, fault.Plan{{At: 0, For: 3 * time.Second, Fault: c.fault}}, newEnv(t, map[string]*proc{"x-1": c.proc}))
				if err != nil || len(got) != 1 {
					t.Fatalf("%+v, %v", got, err)
				}
				if in := got[0]; in.Target != "x-1" || in.Fault != c.fault.Name || in.Kind != c.fault.Kind || in.Healing-in.Ordered != 3*time.Second {
					t.Errorf("%+v", in)
				}
				if c.proc.starts != 2 || c.proc.exit.Code != c.code {
					t.Errorf("started %d times, last exit %d; want 2, %d", c.proc.starts, c.proc.exit.Code, c.code)
				}
				if took := c.proc.exit.At.Sub(ordered); took != c.ended {
					t.Errorf("ended after %s, want %s", took, c.ended)
				}
			})
		})
	}
}

// TestHealLongAfterTheGrace: a kill whose heal comes late finds the node already down.
func TestHealLongAfterTheGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProc(0)
		got, err := execute(t.Context(), t, fault.Plan{{For: time.Minute, Fault: fault.Kill(fault.Node("x-1"))}}, newEnv(t, map[string]*proc{"x-1": p}))
		if err != nil || len(got) != 1 || p.starts != 2 {
			t.Errorf("%+v, %v, %d starts", got, err, p.starts)
		}
	})
}

func TestUnknownTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got, err := execute(t.Context(), t, fault.Plan{{Fault: fault.Kill(fault.Node("nobody-1"))}}, newEnv(t, nil))
		if err == nil || len(got) != 1 || got[0].Error != `"nobody-1": no such node` {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// TestNoopIsNotConfirmed: a fault that hits nothing leaves no proof, and its confirmation says which is missing.
func TestNoopIsNotConfirmed(t *testing.T) {
	x := fault.Node("x-1")
	for _, c := range []struct {
		fault   fault.Fault
		missing string
	}{
		{fault.Term(x), "exit of x-1"},
		{fault.TermStarting(x, time.Second), "exit of x-1"},
		{fault.Kill(x), "exit of x-1"},
		{fault.Pause(x), "no observer saw x-1 go down"},
		{fault.CPUQuota(x, 1), "keep x-1 from the CPU"},
		{fault.Partition(fault.Cut{Target: x, Peers: []string{"y-1"}}), "reach from y-1 did not see x-1 become lost"},
		{fault.PacketLoss(0.5, fault.Cut{Target: x, Peers: []string{"y-1"}}), "y-1 never lost x-1"},
		{fault.Latency(fault.Slowness{Target: x, Probe: probe.Probe{Name: "latency"}}), "latency did not see x-1 become slow"},
		{fault.Upgrade(x, fault.Replacement{}), "exit of x-1"},
	} {
		c.fault.Await = nil
		c.fault.Inject = func(context.Context, *env.Env, *rand.Rand) (fault.Injected, error) {
			return fault.Injected{Target: "x-1"}, nil
		}
		synctest.Test(t, func(t *testing.T) {
			got, err := execute(t.Context(), t, fault.Plan{{For: time.Second, Fault: c.fault}}, newEnv(t, nil))
			if err != nil || len(got) != 1 {
				t.Fatalf("%+v, %v", got, err)
			}
			run := evidence.New(evidence.Plan{}, evidence.Injections.With(got...), evidence.Nodes.With(evidence.Node{Name: "x-1"}, evidence.Node{Name: "y-1"}))
			if _, err := c.fault.Confirm(run, got[0]); !errors.Is(err, fault.ErrUnconfirmed) || !strings.Contains(err.Error(), c.missing) {
				t.Errorf("%s: %v", c.fault.Name, err)
			}
		})
	}
}
