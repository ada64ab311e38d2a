package fault_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/fault"
)

// replacer replaces a proc that has ended by one that runs.
type replacer struct {
	launcher
	replaced []env.Program
}

func (*replacer) Name() string { return "able" }

func (r *replacer) Replace(ctx context.Context, n *env.Node, p env.Program) error {
	r.replaced = append(r.replaced, p)
	return n.Start(ctx)
}

func (*replacer) Build(context.Context, *env.Node) (string, error) { return "", nil }

// TestUpgrade: the node is told to end when it is its turn, and the other build comes in its place when it has ended.
func TestUpgrade(t *testing.T) {
	to := env.Program{Go: "./x", Version: "next"}
	busy := errors.New("never its turn")
	for _, c := range []struct {
		name     string
		turn     time.Duration // until it is its turn
		fails    error
		replaced int
		target   string
	}{
		{"at once", 0, nil, 1, "x-1"},
		{"when the others are up", 5 * time.Second, nil, 1, "x-1"},
		{"never", time.Second, busy, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newProc(700 * time.Millisecond)
				d := &replacer{launcher: launcher{proc: p}}
				e := env.New(d, 1, t.Logf)
				e.SetParam("grace", grace)
				if _, err := e.Launch(t.Context(), env.Spec{Name: "x-1"}); err != nil {
					t.Fatal(err)
				}
				f := fault.Upgrade(fault.Node("x-1"), fault.Replacement{Program: to, Ready: func(context.Context, *env.Env) error { time.Sleep(c.turn); return c.fails }})
				ordered := time.Second + c.turn // and not before: whatever ends the node until then is none of its doing
				epoch := time.Now()
				got, err := execute(t.Context(), t, fault.Plan{{For: time.Second, Fault: f}}, e)
				if !errors.Is(err, c.fails) || len(got) != 1 || got[0].Fault != "term x-1 for next" || got[0].Target != c.target || got[0].Ordered != ordered {
					t.Fatalf("%+v, %v", got, err)
				}
				if len(d.replaced) != c.replaced || c.replaced == 1 && (d.replaced[0] != to || p.starts != 2) {
					t.Errorf("replaced by %v, started %d times", d.replaced, p.starts)
				}
				if took := p.exit.At.Sub(epoch) - ordered; c.replaced == 1 && took != 700*time.Millisecond {
					t.Errorf("ended %s after the order, want 700ms", took)
				}
			})
		})
	}
}

func TestUpgradeNamesItsProgram(t *testing.T) {
	to := env.Program{Go: "./x", Version: "next"}
	f := fault.Upgrade(fault.Node("x-1"), fault.Replacement{Program: to})
	if len(f.Programs) != 1 || f.Programs[0] != to || len(f.Needs) != 1 || f.Needs[0] != env.Upgrade {
		t.Errorf("%+v", f)
	}
}
