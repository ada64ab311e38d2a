package fault_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/fault"
)

// memory is a driver with one node, whose need of memory changes every 70 ms, and which uses some more that can be taken back.
type memory struct {
	driver
	began  time.Time
	needs  []int64 // bytes, by turns
	cached int64   // bytes
	strict bool    // a limit below the need is refused, as by version 1 of cgroups, and kills otherwise
	limit  int64
	lifted bool
}

var errInUse = errors.New("in use")

func (m *memory) need() int64 {
	return m.needs[int(time.Since(m.began)/(70*time.Millisecond))%len(m.needs)]
}

func (m *memory) Memory(context.Context, *env.Node) (int64, error) { return m.need() + m.cached, nil }

func (m *memory) LimitMemory(_ context.Context, n *env.Node, bytes int64) (env.Undo, error) {
	undo := func(context.Context) error { m.lifted = true; return nil }
	if m.cached = min(m.cached, max(0, bytes-m.need())); m.strict && bytes < m.need() {
		return undo, errInUse
	}
	m.limit = bytes
	go func() {
		for n := n.Proc.(*proc); !m.lifted; time.Sleep(10 * time.Millisecond) {
			if m.need() > m.limit {
				n.end(137)
				return
			}
		}
	}()
	return undo, nil
}

func (*memory) OutOfMemory(context.Context, *env.Node) (bool, error) { return true, nil }

// TestOutOfMemoryKillsWhoeverNeedsMore, whether or not the kernel takes a limit below what is used; and starts it again.
func TestOutOfMemoryKillsWhoeverNeedsMore(t *testing.T) {
	for name, c := range map[string]struct {
		needs  []int64
		strict bool
		want   string // of the injector's error
	}{
		"a kernel that kills":   {[]int64{100}, false, ""},
		"a kernel that refuses": {[]int64{100, 110, 90}, true, ""},
		"a need that is even":   {[]int64{100}, true, "x-1 gets by with the memory that it has"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newProc(0)
				m := &memory{driver: driver{procs: map[string]*proc{"x-1": p}}, began: time.Now(), needs: c.needs, cached: 40, strict: c.strict}
				e := env.New(m, 1, t.Logf)
				if _, err := e.Launch(t.Context(), env.Spec{Name: "x-1"}); err != nil {
					t.Fatal(err)
				}
				got, err := execute(t.Context(), t, fault.Plan{{For: 5 * time.Second, Fault: fault.OutOfMemory(fault.Node("x-1"))}}, e)
				if len(got) != 1 || got[0].Kind != evidence.FaultKill || got[0].Target != "x-1" || (err == nil) != (c.want == "") {
					t.Fatalf("%+v, %v", got, err)
				}
				if c.want != "" && got[0].Error != c.want {
					t.Errorf("got %q", got[0].Error)
				}
				if exit := p.exit; exit.Code != 137 || !m.lifted || p.starts != 2 {
					t.Errorf("ended with %d, lifted %t, started %d times", exit.Code, m.lifted, p.starts)
				}
				if lasted := got[0].Healing - got[0].Ordered; c.want == "" && lasted < 5*time.Second {
					t.Errorf("healed after %s", lasted)
				}
			})
		})
	}
}
