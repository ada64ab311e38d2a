package probe_test

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
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/probe"
)

// scripted is a node in which each command takes a second and ends as the next output says; the last one repeats.
type scripted struct {
	env.Proc
	outputs []env.Output
	errs    []error
	runs    int
}

func (p *scripted) Exec(ctx context.Context, argv ...string) (env.Output, error) {
	i := min(p.runs, len(p.outputs)-1)
	p.runs++
	select {
	case <-ctx.Done():
		return env.Output{}, ctx.Err()
	case <-time.After(time.Second):
		return p.outputs[i], p.errs[i]
	}
}

type scriptDriver struct {
	env.Driver
	procs map[string]env.Proc
}

func (scriptDriver) Name() string { return "scripted" }

func (scriptDriver) Addr(node string) (string, error) { return "addr-of-" + node, nil }

func (d scriptDriver) Launch(_ context.Context, s env.Spec) (env.Proc, error) {
	return d.procs[s.Name], nil
}

func scriptedEnv(t *testing.T, procs map[string]env.Proc) *env.Env {
	t.Helper()
	e := env.New(scriptDriver{procs: procs}, 1, t.Logf)
	for name := range procs {
		role, _, _ := strings.Cut(name, "-")
		if _, err := e.Launch(t.Context(), env.Spec{Name: name, Role: role}); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

// TestReachRecordsChanges over several runs of the script, with one that fails between them.
func TestReachRecordsChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		saw := func(second int, node, what string) string {
			return fmt.Sprintf("%d addr-of-%s %s\n", began.Add(time.Duration(second)*time.Second).UnixNano(), node, what)
		}
		p := &scripted{
			outputs: []env.Output{{Stdout: []byte(saw(0, "app-1", "reached"))}, {Stdout: []byte(saw(1, "app-1", "reached") + saw(2, "app-1", "lost"))},
				{}, {Code: 137}, {Stdout: []byte(saw(5, "app-1", "lost"))}, {}},
			errs: []error{nil, nil, errors.New("paused"), nil, nil, nil},
		}
		e := scriptedEnv(t, map[string]env.Proc{"store-1": p, "app-1": nil})
		run, err := watch(t, probe.Reach([]string{"app"}, []string{"store"}), e, func() { time.Sleep(10 * time.Second) })
		if err != nil {
			t.Fatal(err)
		}
		var want []evidence.Observation
		for _, o := range []struct {
			at   int
			what string
		}{{0, evidence.SawReached}, {2, evidence.SawLost}, {5, evidence.SawLost}} {
			want = append(want, evidence.Observation{At: time.Duration(o.at) * time.Second, Source: "reach from store-1", Node: "app-1", What: o.what})
		}
		if got := evidence.Observations.Of(run); !slices.Equal(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	})
}

// TestRefusal: to Reach, who refuses is there; to Connect, the server is not.
func TestRefusal(t *testing.T) {
	between := func(of func(to, from []string) probe.Probe) probe.Probe {
		return of([]string{"app"}, []string{"store"})
	}
	for _, c := range []struct {
		probe probe.Probe
		want  []string
	}{
		{between(probe.Reach), []string{"reach from store-1: reached", "reach from store-1: lost"}},
		{between(probe.Connect), []string{"connect from store-1: reached", "connect from store-1: refused", "connect from store-1: lost"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			var out []byte
			for i, what := range []string{"reached", "refused", "lost"} {
				out = fmt.Appendf(out, "%d addr-of-app-1 %s\n", time.Now().Add(time.Duration(i)).UnixNano(), what)
			}
			p := &scripted{outputs: []env.Output{{Stdout: out}, {}}, errs: []error{nil, nil}}
			e := scriptedEnv(t, map[string]env.Proc{"store-1": p, "app-1": nil})
			run, err := watch(t, c.probe, e, func() { time.Sleep(5 * time.Second) })
			var got []string
			for _, o := range evidence.Observations.Of(run) {
				got = append(got, o.Source+": "+o.What)
			}
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%s: %v, %v; want %v", c.probe.Name, got, err, c.want)
			}
		})
	}
}

func TestReachThatNeverLookedFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &scripted{outputs: []env.Output{{Code: 127, Stderr: []byte("no python3")}}, errs: []error{nil}}
		e := scriptedEnv(t, map[string]env.Proc{"store-1": p, "app-1": nil})
		_, err := watch(t, probe.Reach([]string{"app-1"}, []string{"store-1"}), e, func() { time.Sleep(5 * time.Second) })
		if err == nil || !strings.Contains(err.Error(), "store-1") || !strings.Contains(err.Error(), "no python3") {
			t.Errorf("%v", err)
		}
	})
}

// counter is a driver whose kernel accounts for throttled time: 100 ms more at each of the reads from 1 s to 2 s.
type counter struct {
	scriptDriver
	began time.Time
}

func (counter) LimitCPU(context.Context, *env.Node, float64) (env.Undo, error) { return nil, nil }

func (c counter) Throttled(context.Context, *env.Node) (time.Duration, error) {
	held := min(max(0, time.Since(c.began)-time.Second), time.Second)
	return held / 5, nil
}

func TestThrottling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := env.New(counter{scriptDriver{procs: map[string]env.Proc{"app-1": nil}}, time.Now()}, 1, t.Logf)
		if _, err := e.Launch(t.Context(), env.Spec{Name: "app-1", Role: "app"}); err != nil {
			t.Fatal(err)
		}
		run, err := watch(t, probe.Throttling("app"), e, func() { time.Sleep(5*time.Second + 1) })
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, o := range evidence.Observations.Of(run) {
			got = append(got, fmt.Sprintf("%s %s %s", o.At, o.Node, o.What))
		}
		if want := []string{"0s app-1 free", "2s app-1 throttled", "3s app-1 free"}; !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}

// TestThrottlingUnknown: where nothing can tell, nothing is said.
func TestThrottlingUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := scriptedEnv(t, map[string]env.Proc{"app-1": nil})
		run, err := watch(t, probe.Throttling("app"), e, func() { time.Sleep(2 * time.Second) })
		if got := evidence.Observations.Of(run); err != nil || len(got) != 0 {
			t.Errorf("%v, %v", got, err)
		}
	})
}
