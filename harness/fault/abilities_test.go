package fault_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/fault"
	"github.com/sentinel-chaos/sentinel/harness/probe"
)

// abilities notes what it is asked for.
type abilities struct {
	launcher
	got    []string
	broken error
}

func (*abilities) Name() string { return "able" }

func (a *abilities) note(what string) (env.Undo, error) {
	a.got = append(a.got, what)
	return func(context.Context) error {
		a.got = append(a.got, "heal")
		return nil
	}, a.broken
}

func (a *abilities) Partition(_ context.Context, paths []env.Path, share float64) (env.Undo, error) {
	var lines []string
	for _, p := range paths {
		lines = append(lines, p.From.Name+">"+p.To.Name)
	}
	return a.note(fmt.Sprintf("cut %g %s", share, strings.Join(lines, " ")))
}

func (a *abilities) LimitCPU(_ context.Context, n *env.Node, cores float64) (env.Undo, error) {
	return a.note(fmt.Sprintf("limit %s %g", n.Name, cores))
}

func (a *abilities) Delay(_ context.Context, n *env.Node, s env.Delay) (env.Undo, error) {
	var but []string
	for _, other := range s.Except {
		but = append(but, other.Name)
	}
	return a.note(fmt.Sprintf("slow %s:%d but for %v by %s to %s", n.Name, s.Port, but, s.Least, s.Most))
}

func (a *abilities) Reset(_ context.Context, n *env.Node, peers []*env.Node) (env.Undo, error) {
	var names []string
	for _, p := range peers {
		names = append(names, p.Name)
	}
	return a.note(fmt.Sprintf("reset %s with %v", n.Name, names))
}

func (*abilities) Throttled(context.Context, *env.Node) (time.Duration, error) { return 0, nil }

func TestAbilitiesAreAskedFor(t *testing.T) {
	second := fault.Target{Name: "store-master", Nodes: []string{"store"},
		Find: func(_ context.Context, e *env.Env) (*env.Node, error) { return e.Node("store-2") }}
	slow := probe.Probe{Name: "store-latency"}
	for _, c := range []struct {
		fault        fault.Fault
		name, target string
		want         string
	}{
		{fault.Partition(fault.Cut{Target: fault.Node("app-1"), Peers: []string{"store"}}), "partition app-1 from store", "app-1",
			"cut 1 store-1>app-1 app-1>store-1 store-2>app-1 app-1>store-2"},
		{fault.Partition(fault.Cut{Target: second, Peers: []string{"store", "app"}}), "partition store-master from store, app", "store-2",
			"cut 1 app-1>store-2 store-2>app-1 store-1>store-2 store-2>store-1"},
		{fault.PacketLoss(0.25, fault.Cut{Target: fault.Node("store-1"), Peers: []string{"store-2"}}), "packet-loss store-1 from store-2, 25%", "store-1",
			"cut 0.25 store-2>store-1 store-1>store-2"},
		{fault.Latency(fault.Slowness{Target: second, Port: 6379, Except: []string{"store"}, Least: 50 * time.Millisecond, Most: 200 * time.Millisecond, Probe: slow}),
			"latency store-master", "store-2", "slow store-2:6379 but for [store-1] by 50ms to 200ms"},
		{fault.Reset(fault.Resets{Target: second, Peers: []string{"store", "app-1"}}), "reset store-master", "store-2", "reset store-2 with [app-1 store-1]"},
		{fault.CPUQuota(fault.Node("app-1"), 0.5), "cpu-quota app-1", "app-1", "limit app-1 0.5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, broken := range []error{nil, errors.New("engine gone")} {
				synctest.Test(t, func(t *testing.T) {
					a := &abilities{broken: broken}
					e := env.New(a, 1, t.Logf)
					for _, name := range []string{"app-1", "store-1", "store-2"} {
						role, _, _ := strings.Cut(name, "-")
						if _, err := e.Launch(t.Context(), env.Spec{Name: name, Role: role}); err != nil {
							t.Fatal(err)
						}
					}
					got, err := execute(t.Context(), t, fault.Plan{{For: time.Second, Fault: c.fault}}, e)
					if !errors.Is(err, broken) || len(got) != 1 || got[0].Fault != c.name || got[0].Target != c.target {
						t.Errorf("%+v, %v", got, err)
					}
					if want := []string{c.want, "heal"}; !slices.Equal(a.got, want) {
						t.Errorf("%v, want %v", a.got, want)
					}
				})
			}
		})
	}
}

// TestUnableDrivers: an ability that is not there is an injector's error, if it was not found out before.
func TestUnableDrivers(t *testing.T) {
	for _, f := range []fault.Fault{fault.Partition(fault.Cut{Target: fault.Node("x-1"), Peers: []string{"x-2"}}), fault.CPUQuota(fault.Node("x-1"), 1)} {
		synctest.Test(t, func(t *testing.T) {
			got, err := execute(t.Context(), t, fault.Plan{{Fault: f}}, newEnv(t, map[string]*proc{"x-1": newProc(0), "x-2": newProc(0)}))
			if !errors.Is(err, env.ErrUnable) || len(got) != 1 || got[0].Error == "" {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}
