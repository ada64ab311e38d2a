package harness_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/fault"
	"github.com/sentinel-chaos/sentinel/harness/load"
	"github.com/sentinel-chaos/sentinel/harness/probe"
)

const noSuchMap = "no such map"

// restless is a system that panics when it is asked whether it is at rest.
type restless struct{ fakeSystem }

func (restless) Quiet(context.Context, *env.Env) error { panic(noSuchMap) }

// unsure is a system that panics when it is asked for the classes of requests.
type unsure struct{ fakeSystem }

func (unsure) Classify(*evidence.Run) (check.Classes, error) { panic(noSuchMap) }

// says reports whether the reason of the judgement begins so, or that of an assumption behind its name, or what a fault lacks behind the
// fault's. On a busy machine the judgement's own is that the load kept no schedule.
func says(j check.Judgement, begins string) bool {
	return strings.HasPrefix(j.Reason, begins) ||
		slices.ContainsFunc(j.Assumptions, func(v check.Verdict) bool { return strings.HasPrefix(v.Check+": "+v.Reason, begins) }) ||
		slices.ContainsFunc(j.Faults, func(f check.Fault) bool { return strings.HasPrefix(f.Name+": "+f.Missing, begins) })
}

// badShape is the shape of a load that has no tenth request.
type badShape struct{ load.Shape }

func (s badShape) Due(k uint64) (time.Duration, bool) {
	if k == 10 {
		panic(noSuchMap)
	}
	return s.Shape.Due(k)
}

// mended is a fault that counts its heals and is always confirmed.
func mended(heals *atomic.Int32) fault.Fault {
	return fault.Fault{Kind: evidence.FaultPause, Name: "pause store-1",
		Inject: func(context.Context, *env.Env, *rand.Rand) (fault.Injected, error) {
			return fault.Injected{Target: "store-1", Undo: func(context.Context) error { heals.Add(1); return nil }}, nil
		},
		Confirm: func(*evidence.Run, evidence.Injection) (fault.Times, error) { return fault.Times{}, nil }}
}

// TestPanics of what a scenario brings along end neither the process nor the order of things: what is broken is healed, the
// evidence is saved, and it proves nothing, whenever it is judged.
func TestPanics(t *testing.T) {
	// While the fault lasts: the load begins after a second of baseline, the fault a tenth of a second later.
	inFault := func(context.Context, *env.Env, *evidence.Recorder) error {
		time.Sleep(1450 * time.Millisecond)
		panic(noSuchMap)
	}
	look := func(context.Context, *env.Env, *env.Node) []evidence.Observation { panic(noSuchMap) }
	atTheEnd := func(ctx context.Context, _ *env.Env, _ *evidence.Recorder) error {
		<-ctx.Done()
		panic(noSuchMap)
	}
	probed := func(p probe.Probe) func(*harness.Scenario) {
		return func(s *harness.Scenario) { s.Probes = append(s.Probes, p) }
	}
	const judged = "EvidenceComplete: probe bad failed: panic: " + noSuchMap
	var later []func()
	for name, c := range map[string]struct {
		alter  func(*harness.Scenario)
		reason string // as says has it; empty if there is an error in its place
	}{
		"a probe that watches":       {probed(probe.Probe{Name: "bad", Watch: inFault}), judged},
		"a probe that stops":         {probed(probe.Probe{Name: "bad", Watch: atTheEnd}), judged},
		"a probe that collects":      {probed(probe.Probe{Name: "bad", Collect: inFault}), judged},
		"a probe's look at one node": {probed(probe.Changes("bad", "store", time.Second, look)), judged},
		"a confirmation": {func(s *harness.Scenario) {
			s.Faults[0].Fault.Confirm = func(*evidence.Run, evidence.Injection) (fault.Times, error) { panic(noSuchMap) }
		}, "pause store-1: panic: " + noSuchMap},
		"the making of a request": {func(s *harness.Scenario) {
			s.Load.Stages[0].Request = func(k uint64, _ *rand.Rand) load.Request {
				if k == 30 {
					panic(noSuchMap)
				}
				return load.Request{Method: http.MethodGet, Path: "/"}
			}
		}, ""},
		"the reading of an answer": {func(s *harness.Scenario) {
			s.Load.Read = func(load.Response, *evidence.Recorder) error { panic(noSuchMap) }
		}, ""},
		"the shape of the load": {func(s *harness.Scenario) { s.Load.Stages[0].Shape = badShape{s.Load.Stages[0].Shape} }, ""},
		"the system":            {func(s *harness.Scenario) { s.System = restless{s.System.(fakeSystem)} }, ""},
	} {
		var heals, watchers atomic.Int32
		s, dir := fakeScenario(t, mended(&heals)), t.TempDir()
		c.alter(&s)
		s.Probes = append(s.Probes, probe.Probe{Name: "good", Watch: func(ctx context.Context, _ *env.Env, _ *evidence.Recorder) error {
			watchers.Add(1)
			defer watchers.Add(-1)
			<-ctx.Done()
			return nil
		}})
		done := begin(t, s, harness.Options{Driver: fakeDriver{}, Dir: dir, Logf: t.Logf}, "")
		later = append(later, func() {
			t.Run(name, func(t *testing.T) {
				r := <-done
				switch {
				case c.reason == "" && (r.err == nil || !strings.Contains(r.err.Error(), "panic: "+noSuchMap)):
					t.Errorf("%s: %s, %v, want the panic for an error", r.j.Status, r.j.Reason, r.err)
				case c.reason != "" && (r.err != nil || r.j.Status != check.Unknown || !says(r.j, c.reason)):
					t.Errorf("%s: %s, %v, want %s", r.j.Status, r.j.Reason, r.err, c.reason)
				}
				if heals.Load() != 1 || watchers.Load() != 0 {
					t.Errorf("healed %d times; %d probes still watch", heals.Load(), watchers.Load())
				}
				if run, j, err := harness.Judge(dir, s); err != nil || !run.Complete || j.Status != check.Unknown {
					t.Errorf("judged again: %s: %s, %v", j.Status, j.Reason, err)
				}
			})
		})
	}
	for _, judge := range later {
		judge()
	}
}

// TestClassifyPanics: who cannot tell the classes of requests has no windows, and the checks that need none are judged.
func TestClassifyPanics(t *testing.T) {
	var heals atomic.Int32
	s := fakeScenario(t, mended(&heals))
	s.System = unsure{s.System.(fakeSystem)}
	r := <-begin(t, s, harness.Options{Driver: fakeDriver{}, Dir: t.TempDir(), Logf: t.Logf}, "")
	if r.err != nil || !strings.HasPrefix(r.j.Untold, "panic: "+noSuchMap) || len(r.j.Checks) == 0 {
		t.Errorf("%s, untold %q, %v", r.j.Reason, r.j.Untold, r.err)
	}
}
