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

func (a *abilities) Cut(_ context.Context, paths []env.Path, share float64) (env.Undo, error) {
	var lines []string
	for _, p := range paths {
		lines = append(lines, p.From.Name+">"+p.To.Name)
	}
	return a.note(fmt.Sprintf("cut %g %s", share, strings.Join(lines, " ")))
}

func (a *abilities) Limit(_ context.Context, n *env.Node, cores float64) (env.Undo, error) {
	return a.note(fmt.Sprintf("limit %s %g", n.Name, cores))
}

func (a *abilities) Slow(_ context.Context, n *env.Node, s env.Slowness) (env.Undo, error) {
	var but []string
	for _, other := range s.But {
		but = append(but, other.Name)
	}
	return a.note(fmt.Sprintf("slow %s:%d but for %v by %s to %s", n.Name, s.Port, but, s.Least, s.Most))
}

func (*abilities) Throttled(context.Context, *env.Node) (time.Duration, error) { return 0, nil }

func TestAbilitiesAreAskedFor(t *testing.T) {
	second := func(_ context.Context, e *env.Env) (*env.Node, error) { return e.Node("redis-2") }
	for _, c := range []struct {
		fault        fault.Fault
		name, target string
		want         string
	}{
		{fault.Cut(fault.Sides{What: "gateway-1", From: []string{"redis"}}), "cut gateway-1 from redis", "gateway-1",
			"cut 1 redis-1>gateway-1 gateway-1>redis-1 redis-2>gateway-1 gateway-1>redis-2"},
		{fault.Cut(fault.Sides{What: "gateway-1", From: []string{"redis-2"}, Way: fault.Inward}), "cut gateway-1 from redis-2 inward", "gateway-1",
			"cut 1 redis-2>gateway-1"},
		{fault.Cut(fault.Sides{What: "redis-master", Find: second, From: []string{"redis", "gateway"}, Way: fault.Outward}), "cut redis-master from redis, gateway outward", "redis-2",
			"cut 1 redis-2>gateway-1 redis-2>redis-1"},
		{fault.Lose(0.25, fault.Sides{What: "redis-1", From: []string{"redis-2"}}), "lose 25% redis-1 from redis-2", "redis-1",
			"cut 0.25 redis-2>redis-1 redis-1>redis-2"},
		{fault.Slow(fault.Brownout{What: "redis-master", Find: second, Port: 6379, But: []string{"redis"}, Least: 50 * time.Millisecond, Most: 200 * time.Millisecond}),
			"slow redis-master", "redis-2", "slow redis-2:6379 but for [redis-1] by 50ms to 200ms"},
		{fault.Limit("gateway-1", 0.5), "limit gateway-1", "gateway-1", "limit gateway-1 0.5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, broken := range []error{nil, errors.New("engine gone")} {
				synctest.Test(t, func(t *testing.T) {
					a := &abilities{broken: broken}
					e := env.New(a, 1, t.Logf)
					for _, name := range []string{"gateway-1", "redis-1", "redis-2"} {
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
	for _, f := range []fault.Fault{fault.Cut(fault.Sides{What: "x-1", From: []string{"x-2"}}), fault.Limit("x-1", 1)} {
		synctest.Test(t, func(t *testing.T) {
			got, err := execute(t.Context(), t, fault.Plan{{Fault: f}}, newEnv(t, map[string]*proc{"x-1": newProc(0), "x-2": newProc(0)}))
			if !errors.Is(err, env.ErrUnable) || len(got) != 1 || got[0].Error == "" {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}
