package fault_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/fault"
)

// slowStarter is a proc that takes its time to start, and notes when it gets which signal.
type slowStarter struct {
	*proc
	takes time.Duration
	noted
}

func newSlowStarter(takes time.Duration) *slowStarter {
	return &slowStarter{proc: newProc(700 * time.Millisecond), takes: takes, noted: noted{began: time.Now()}}
}

func (s *slowStarter) Start(ctx context.Context) error {
	time.Sleep(s.takes)
	return s.proc.Start(ctx)
}

func (s *slowStarter) Signal(ctx context.Context, signal env.Signal) error {
	s.note(string(signal))
	return s.proc.Signal(ctx, signal)
}

// TestTermStarting: the node gets its second SIGTERM that long after it was started again, and is brought back each time.
func TestTermStarting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newSlowStarter(320 * time.Millisecond)
		node := fault.Node("x-1")
		plan := fault.Plan{{For: 2 * time.Second, Fault: fault.Term(node)},
			{At: 500 * time.Millisecond, For: time.Second, Fault: fault.TermStarting(node, 400*time.Millisecond)}}
		got, err := execute(t.Context(), t, plan, envOf(t, p, "x-1"))
		if err != nil || len(got) != 2 || got[1].Fault != "term x-1 while it starts" || got[1].Kind != evidence.FaultTerm || got[1].Target != "x-1" {
			t.Fatalf("%+v, %v", got, err)
		}
		// The heal begins at 3 s. The node runs at 3.32 s, which is seen at 3.35 s.
		if want := []string{"term 1s", "term 3.75s"}; !slices.Equal(p.log, want) || p.starts != 3 {
			t.Errorf("%v, want %v; %d starts", p.log, want, p.starts)
		}
		if ordered := got[1].Ordered; ordered != 3750*time.Millisecond { // what ends the node until then is none of its doing
			t.Errorf("ordered at %s", ordered)
		}
	})
}

// TestTermStartingOfNothing: a node that nobody starts is waited for, not for ever, and gets no signal.
func TestTermStartingOfNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newSlowStarter(0)
		p.end(0)
		f := fault.TermStarting(fault.Node("x-1"), time.Second)
		got, err := execute(t.Context(), t, fault.Plan{{For: time.Second, Fault: f}}, envOf(t, p, "x-1"))
		if err == nil || len(got) != 1 || !strings.Contains(got[0].Error, "await the start of x-1: not started within") || len(p.log) != 0 {
			t.Errorf("%+v, %v, %v", got, err, p.log)
		}
	})
}
