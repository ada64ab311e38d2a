package fault_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/fault"
)

// paused notes the signals that it gets.
type paused struct {
	env.Proc
	broken error
	got    []env.Signal
}

func (p *paused) Signal(_ context.Context, s env.Signal) error {
	p.got = append(p.got, s)
	return p.broken
}

// launcher launches the same proc for every node.
type launcher struct {
	env.Driver
	proc env.Proc
}

func (launcher) Addr(string) (string, error) { return "", nil }

func (l launcher) Launch(context.Context, env.Spec) (env.Proc, error) { return l.proc, nil }

func envOf(t *testing.T, p env.Proc, nodes ...string) *env.Env {
	t.Helper()
	e := env.New(launcher{proc: p}, 1, t.Logf)
	for _, n := range nodes {
		if _, err := e.Launch(t.Context(), env.Spec{Name: n}); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

func TestPauseResumesWhenHealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &paused{}
		got, err := execute(t.Context(), t, fault.Plan{{For: 3 * time.Second, Fault: fault.Pause(fault.Node("x-1"))}}, envOf(t, p, "x-1"))
		if err != nil || len(got) != 1 || got[0].Fault != "pause x-1" || got[0].Target != "x-1" || got[0].Healing-got[0].Ordered != 3*time.Second {
			t.Errorf("%+v, %v", got, err)
		}
		if want := []env.Signal{env.Pause, env.Resume}; !slices.Equal(p.got, want) {
			t.Errorf("%v, want %v", p.got, want)
		}
	})
}

// TestPauseThatFailedIsResumed: the answer to the order may have got lost, and the order not.
func TestPauseThatFailedIsResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &paused{broken: errors.New("engine gone")}
		got, err := execute(t.Context(), t, fault.Plan{{For: time.Hour, Fault: fault.Pause(fault.Node("x-1"))}}, envOf(t, p, "x-1"))
		if !errors.Is(err, p.broken) || len(got) != 1 || got[0].Error == "" || got[0].Target != "x-1" || len(p.got) != 2 {
			t.Errorf("%+v, %v, %v", got, err, p.got)
		}
	})
}

// TestTargetsAreFoundWhenTheFaultFires: not when the plan is made.
func TestTargetsAreFoundWhenTheFaultFires(t *testing.T) {
	for _, c := range []struct {
		kind  string
		fault func(fault.Target) fault.Fault
	}{{evidence.FaultKill, fault.Kill}, {evidence.FaultPause, fault.Pause}} {
		t.Run(c.kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				f := c.fault(fault.Target{Name: "leader", Find: func(_ context.Context, e *env.Env) (*env.Node, error) {
					if time.Since(began) < 2*time.Second {
						return e.Node("x-1")
					}
					return e.Node("x-2")
				}})
				p := newProc(0)
				got, err := execute(t.Context(), t, fault.Plan{{At: 5 * time.Second, For: time.Second, Fault: f}}, newEnv(t, map[string]*proc{"x-1": newProc(0), "x-2": p}))
				if err != nil || len(got) != 1 || got[0].Fault != c.kind+" leader" || got[0].Target != "x-2" {
					t.Errorf("%+v, %v", got, err)
				}
				if restarted := p.starts == 2; restarted != (c.kind == evidence.FaultKill) {
					t.Errorf("%d starts", p.starts)
				}
			})
		})
	}
}

func TestNothingIsHitWhenNobodyIsFound(t *testing.T) {
	lost := errors.New("no leader")
	leader := fault.Target{Name: "leader", Find: func(context.Context, *env.Env) (*env.Node, error) { return nil, lost }}
	for _, f := range []fault.Fault{fault.Kill(leader), fault.Pause(leader)} {
		synctest.Test(t, func(t *testing.T) {
			got, err := execute(t.Context(), t, fault.Plan{{For: time.Second, Fault: f}}, newEnv(t, nil))
			if !errors.Is(err, lost) || len(got) != 1 || got[0].Error != "no leader" {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}
