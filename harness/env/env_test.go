package env_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// driver launches nothing.
type driver struct{ env.Driver }

var errRefused = errors.New("refused")

func (driver) Addr(node string) (string, error) {
	if node == "homeless" {
		return "", errRefused
	}
	return "addr-of-" + node, nil
}

func (driver) Launch(_ context.Context, s env.Spec) (env.Proc, error) {
	if s.Role == "broken" {
		return nil, errRefused
	}
	return nil, nil
}

func newEnv() *env.Env { return env.New(driver{}, 7, func(string, ...any) {}) }

func launch(t testing.TB, e *env.Env, role string, names ...string) {
	t.Helper()
	for _, n := range names {
		if _, err := e.Launch(context.Background(), env.Spec{Name: n, Role: role}); err != nil {
			t.Fatal(err)
		}
	}
}

func namesOf(ns []*env.Node) (names []string) {
	for _, n := range ns {
		names = append(names, n.Name)
	}
	return names
}

func TestNodesComeByName(t *testing.T) {
	e := newEnv()
	launch(t, e, "app", "app-10", "app-2", "app-1")
	launch(t, e, "tier", "tier-2", "tier-1")
	launch(t, e, "tier-proxy", "tier-proxy-1")
	want := []string{"app-1", "app-2", "app-10", "tier-1", "tier-2", "tier-proxy-1"}
	if got := namesOf(e.Nodes()); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := namesOf(e.Role("tier")); !slices.Equal(got, want[3:5]) {
		t.Errorf("tier: %v", got)
	}
	if got := e.Role("none"); len(got) != 0 {
		t.Errorf("none: %v", got)
	}
}

// TestNameOrderIsOne: however nodes were launched, they come in the same order, numbers by their size.
func TestNameOrderIsOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`(a|a-|b|a-1x)[1-9]?[0-9]?`), 2, 8, rapid.ID[string]).Draw(t, "names")
		order := func(names []string) []string {
			e := newEnv()
			for _, n := range names {
				_, _ = e.Launch(context.Background(), env.Spec{Name: n})
			}
			return namesOf(e.Nodes())
		}
		first, second := order(names), order(rapid.Permutation(names).Draw(t, "again"))
		if !slices.Equal(first, second) {
			t.Fatalf("%v and %v", first, second)
		}
		last := map[string]int{}
		for _, n := range first {
			stem := strings.TrimRight(n, "0123456789")
			number, _ := strconv.Atoi(n[len(stem):])
			if number < last[stem] {
				t.Fatalf("%v: %s comes after %d", first, n, last[stem])
			}
			last[stem] = number
		}
	})
}

func TestNodesAreFound(t *testing.T) {
	e := newEnv()
	launch(t, e, "app", "app-1")
	if n, err := e.Node("app-1"); err != nil || n.Addr != "addr-of-app-1" {
		t.Errorf("%+v, %v", n, err)
	}
	if _, err := e.Node("app-2"); err == nil || err.Error() != `"app-2": no such node` {
		t.Errorf("%v", err)
	}
	if got := e.NameOf("addr-of-app-1"); got != "app-1" {
		t.Errorf("%q", got)
	}
	if got := e.NameOf("10.0.0.1"); got != "10.0.0.1" {
		t.Errorf("%q", got)
	}
}

func TestAFailedLaunchRegistersNothing(t *testing.T) {
	e := newEnv()
	for _, s := range []env.Spec{{Name: "homeless"}, {Name: "x-1", Role: "broken"}} {
		if _, err := e.Launch(context.Background(), s); !errors.Is(err, errRefused) || !strings.Contains(err.Error(), s.Name) {
			t.Errorf("%s: %v", s.Name, err)
		}
	}
	if n := len(e.Nodes()); n != 0 {
		t.Errorf("%d nodes", n)
	}
}

func TestWhatSystemsRecord(t *testing.T) {
	e := newEnv()
	e.SetParam("lease", time.Second)
	e.SetVersion("tier", "8.0.2")
	e.SetTarget(env.Target{URL: "http://x"})
	e.Params()["lease"], e.Versions()["tier"] = 0, "" // copies
	if e.Params()["lease"] != time.Second || e.Versions()["tier"] != "8.0.2" || e.Target().URL != "http://x" || e.Seed() != 7 {
		t.Errorf("%v %v %v %d", e.Params(), e.Versions(), e.Target(), e.Seed())
	}
}

// TestConcurrentUse is for the race detector: systems launch nodes side by side.
func TestConcurrentUse(t *testing.T) {
	e := newEnv()
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			launch(t, e, "app", fmt.Sprintf("app-%d", i))
			e.SetParam("p", time.Duration(i))
			e.SetVersion("v", "1")
			e.SetTarget(env.Target{URL: "u"})
			_, _, _, _ = e.Params(), e.Versions(), e.Target(), e.NameOf("a")
		})
	}
	all.Wait()
	if n := len(e.Role("app")); n != 20 {
		t.Errorf("%d nodes", n)
	}
}

// TestSleep: the end of a context ends the sleep, with its cause.
func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if err := env.Sleep(t.Context(), time.Minute); err != nil || time.Since(began) != time.Minute {
			t.Errorf("slept for %s: %v", time.Since(began), err)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errRefused)
		defer cancel()
		for range 2 {
			if err := env.Sleep(ctx, time.Minute); !errors.Is(err, errRefused) || time.Since(began) != time.Minute+time.Second {
				t.Errorf("over after %s: %v", time.Since(began), err)
			}
		}
	})
}

func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		err := env.Await(t.Context(), "the third time", func(context.Context) error {
			if asked++; asked < 3 {
				return env.ErrNotYet
			}
			return nil
		})
		if err != nil || asked != 3 {
			t.Errorf("asked %d times: %v", asked, err)
		}
	})
}

func TestAwaitNamesWhatWasAwaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tooLong := errors.New("out of patience")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, tooLong)
		defer cancel()
		began := time.Now()
		err := env.Await(ctx, "a leader", func(context.Context) error { return env.ErrNotYet })
		if !errors.Is(err, tooLong) || !errors.Is(err, env.ErrNotYet) || !strings.Contains(err.Error(), "await a leader") {
			t.Errorf("%v", err)
		}
		if took := time.Since(began); took != time.Minute {
			t.Errorf("gave up after %s", took)
		}
	})
}

// TestAwaitAsksAgain although one question hangs: the address of a dead node swallows it.
func TestAwaitAsksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		err := env.Await(t.Context(), "an answer", func(ctx context.Context) error {
			if asked++; asked > 1 {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		})
		if err != nil || asked != 2 {
			t.Errorf("asked %d times: %v", asked, err)
		}
	})
}
