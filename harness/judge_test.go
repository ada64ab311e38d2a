package harness_test

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/fault"
	"github.com/sentinel-chaos/sentinel/harness/probe"
	"pgregory.net/rapid"
)

// What a small run was: 20 s of load on one service, a fault of what it depends on after 5 s, and its heal after 10 s.
const (
	loadFrom, loadTo = 10 * time.Second, 30 * time.Second
	ordered, healing = 15 * time.Second, 20 * time.Second
	every            = 20 * time.Millisecond
	quickTakes       = 4 * time.Millisecond
	slowTakes        = 300 * time.Millisecond
)

// effect is a record of the system's own: what one request did.
type effect struct {
	Key string        `json:"key"`
	At  time.Duration `json:"at_ns"`
}

var effects = evidence.NewKind("effects", func(a, b *effect) int { return cmp.Compare(a.At, b.At) })

// oncePerKey is a claim of the system's own: no key has two effects.
func oncePerKey() check.Check {
	return check.New("OncePerKey", func(r *check.Run) (check.Verdict, error) {
		var twice check.Findings
		seen := map[string]bool{}
		for _, e := range effects.Of(r.Run) {
			if seen[e.Key] {
				twice.Add("keys with two effects")
			}
			seen[e.Key] = true
		}
		if twice.N() > 0 {
			return check.Failf(nil, nil, "%s", twice.String()), nil
		}
		return check.Passf(nil, "every effect is a key's first"), nil
	})
}

// recorded is a run in the making.
type recorded struct {
	plan         evidence.Plan
	requests     []evidence.Request
	warmup       []evidence.Request // that were not ok
	effects      []effect
	samples      []evidence.Sample
	exits        []evidence.Exit
	injections   []evidence.Injection
	observations []evidence.Observation
	windows      []evidence.Window
	nodes        []evidence.Node
	defects      []evidence.LogDefect
}

// newRecorded is a run in which store-1 was killed and nothing went wrong: quick requests, and a slow one every 100 ms.
func newRecorded() *recorded {
	r := &recorded{plan: evidence.Plan{Scenario: "small"}}
	for due := loadFrom; due < loadTo; due += every {
		class, takes := "quick", quickTakes
		if due%(100*time.Millisecond) == 0 {
			class, takes = "slow", slowTakes
			r.effects = append(r.effects, effect{Key: fmt.Sprint(due), At: due + takes})
		}
		r.requests = append(r.requests, evidence.Request{Seq: uint64(len(r.requests)), ID: fmt.Sprint(due), User: "ann", Class: class, Key: fmt.Sprint(due),
			Due: due, Sent: due, End: due + takes, Conns: 1, Status: 200, Outcome: evidence.OK})
	}
	r.plan.Load = []evidence.Stage{{Name: "steady", Requests: uint64(len(r.requests))}}
	r.nodes = []evidence.Node{{Name: "app-1", Role: "app", Subject: true}, {Name: "store-1", Role: "store"}, {Name: "helper-1", Role: "helper"}}
	r.windows = []evidence.Window{{Name: evidence.PhaseBaseline, From: loadFrom - time.Second, To: loadFrom}, {Name: evidence.PhaseLoad, From: loadFrom, To: loadTo},
		{Name: evidence.PhaseQuiesce, From: loadTo, To: loadTo + 6*time.Second}, {Name: evidence.PhaseCollect, From: loadTo + 6*time.Second, To: loadTo + 7*time.Second}}
	for at := loadFrom - time.Second; at < loadTo+6*time.Second; at += time.Second {
		r.samples = append(r.samples, evidence.Sample{At: at, Node: "app-1", Boot: "1", Values: map[string]float64{"active": 0}})
	}
	r.saw(5*time.Second, evidence.SourceReady, "app-1", evidence.SawUp)
	for _, probe := range []string{evidence.ProbeLogs, evidence.ProbeExits} {
		r.saw(loadTo+7*time.Second, evidence.SourceProbe, probe, evidence.ProbeCollected)
	}
	r.kill("store-1")
	return r
}

func (r *recorded) saw(at time.Duration, source, node, what string) {
	r.observations = append(r.observations, evidence.Observation{At: at, Source: source, Node: node, What: what})
}

// kill leaves what a kill of the node leaves.
func (r *recorded) kill(node string) {
	r.injections = append(r.injections, evidence.Injection{Fault: "kill " + node, Kind: evidence.FaultKill, Target: node, Ordered: ordered, Healing: healing})
	r.exits = append(r.exits, evidence.Exit{Node: node, At: ordered + 20*time.Millisecond, Code: 137})
	r.saw(ordered+100*time.Millisecond, "alive", node, evidence.SawDown)
	r.saw(healing+300*time.Millisecond, "alive", node, evidence.SawUp)
}

// save writes the run into a new folder.
func (r *recorded) save(t testing.TB, dir string) {
	t.Helper()
	rec, err := evidence.NewRecorder(dir, time.Unix(1_700_000_000, 0))
	if err != nil {
		t.Fatal(err)
	}
	put(rec, evidence.Requests, r.requests)
	put(rec, evidence.Warmup, r.warmup)
	put(rec, effects, r.effects)
	put(rec, evidence.Samples, r.samples)
	put(rec, evidence.Exits, r.exits)
	put(rec, evidence.Injections, r.injections)
	put(rec, evidence.Observations, r.observations)
	put(rec, evidence.Windows, r.windows)
	put(rec, evidence.Nodes, r.nodes)
	put(rec, evidence.LogDefects, r.defects)
	put(rec, evidence.Clocks, []evidence.Clock{{At: loadFrom, Node: evidence.ClockHarness}})
	if err := rec.WritePlan(r.plan); err != nil {
		t.Fatal(err)
	}
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
}

func put[T any](rec *evidence.Recorder, kind *evidence.Kind[T], all []T) {
	for _, v := range all {
		kind.Put(rec, v)
	}
}

// small claims what newRecorded kept.
func small(faults ...fault.Fault) harness.Scenario {
	s := harness.Scenario{Name: "small", Expect: []check.Check{check.NothingDropped(), oncePerKey(), check.NoPanics()}}
	for _, f := range faults {
		s.Faults = append(s.Faults, fault.Step{Fault: f})
		s.Expect = append(s.Expect, check.WorstAddedLatency(f.Name, 100*time.Millisecond), check.RecoversWithin(f.Name, time.Second))
	}
	return s
}

func storeKill() fault.Fault { return fault.Kill(fault.Node("store-1")) }

// each alters the requests that are due from a moment on.
func (r *recorded) each(from time.Duration, alter func(*evidence.Request)) {
	for i := range r.requests {
		if r.requests[i].Due >= from {
			alter(&r.requests[i])
		}
	}
}

func late(by time.Duration) func(*evidence.Request) {
	return func(c *evidence.Request) { c.Sent += by; c.End += by }
}

// actTwice lets a request have its effect twice.
func (r *recorded) actTwice() { r.effects = append(r.effects, r.effects[len(r.effects)/2]) }

// warmedUp has one request of the warm-up end like that.
func warmedUp(o evidence.Outcome, status int16) func(*recorded) {
	return func(r *recorded) {
		r.warmup = []evidence.Request{{ID: evidence.WarmupPrefix + "1-0", Stage: "fill", Due: time.Second, Sent: time.Second, End: 2 * time.Second, Status: status, Outcome: o}}
	}
}

func (r *recorded) forget(node, what string) {
	r.observations = slices.DeleteFunc(r.observations, func(o evidence.Observation) bool { return o.Node == node && o.What == what })
}

// TestWhoIsToBlame: what proves that the service broke a promise fails the run, whatever else is wrong; anything else that
// went wrong leaves it without a verdict, and the reason says what is missing.
func TestWhoIsToBlame(t *testing.T) {
	slow := fault.Latency(fault.Slowness{Target: fault.Node("helper-1"), Probe: probe.Probe{Name: "pace"}})
	victim := fault.Kill(fault.Node("app-1"))
	instead := func(f fault.Fault) []fault.Fault { return []fault.Fault{f} }
	for _, c := range []struct {
		name   string
		faults []fault.Fault
		alter  func(*recorded)
		want   check.Status
		reason string
	}{
		{"nothing went wrong", nil, func(*recorded) {}, check.Pass, "all 5 checks hold"},

		{"a kill that hit nothing", nil, func(r *recorded) {
			r.exits = nil
			r.forget("store-1", evidence.SawDown)
			r.forget("store-1", evidence.SawUp)
		},
			check.Unknown, `fault "kill store-1" is not confirmed: no proof: the engine recorded no exit of store-1`},
		{"latency that was not applied", instead(slow), func(r *recorded) {
			r.exits, r.injections = nil, []evidence.Injection{{Fault: slow.Name, Kind: slow.Kind, Target: "helper-1", Ordered: ordered, Healing: healing}}
		}, check.Unknown, `fault "latency helper-1" is not confirmed: no proof: pace did not see helper-1 become slow between the order and the heal`},
		{"an injector that failed", nil, func(r *recorded) { r.injections[0].Error = "engine gone" }, check.Unknown, "the injector failed: engine gone"},
		{"an injector that tells a long story", nil, func(r *recorded) { r.injections[0].Undo = "engine gone\nno route" }, check.Unknown, "the heal failed: engine gone; no route"},
		{"a probe that tells a long story", nil, func(r *recorded) {
			r.observations = append(r.observations, evidence.Observation{Source: evidence.SourceProbe, Node: "rows", What: evidence.ProbeFailed, Detail: "no table\nno rows"})
		}, check.Unknown, "EvidenceComplete: probe rows failed: no table; no rows"},
		{"a fault that was never injected", nil, func(r *recorded) { r.injections = nil; r.exits = nil }, check.Unknown, "it was planned and never injected"},
		{"a fault that only the saved plan has", nil, func(r *recorded) { r.plan.Faults = []evidence.Step{{Fault: "kill store-1"}, {Fault: slow.Name}} },
			check.Unknown, `fault "latency helper-1" is not confirmed: it was planned, and the scenario of this build does not have it`},
		{"a fault without effect, and a double effect", nil, func(r *recorded) { r.exits = nil; r.actTwice() }, check.Fail, "OncePerKey"},

		{"a warm-up that was answered wrongly", nil, warmedUp(evidence.Failed, 500), check.Fail, "WarmedUp: 1 requests of the warm-up were answered wrongly"},
		{"a warm-up that was refused", nil, warmedUp(evidence.Refused, 503), check.Unknown, "WarmedUp: 1 requests of the warm-up were not answered ok: 1 refused (503)"},
		{"a warm-up that was refused, and the load, too", nil, func(r *recorded) {
			warmedUp(evidence.Refused, 503)(r)
			r.each(loadFrom, func(c *evidence.Request) { c.Outcome, c.Status, c.RetryAfter = evidence.Refused, 503, time.Second })
		}, check.Fail, "NothingDropped: 1000 of 1000 requests were dropped: 1000 refused (503)"},

		{"a slow load generator", nil, func(r *recorded) { r.each(0, late(50*time.Millisecond)) }, check.Unknown, "LoadKeptSchedule: requests were sent late: lag p99 50.0 ms, limit 20 ms"},
		{"a load generator that stalls from the fault on", nil, func(r *recorded) { r.each(ordered, late(time.Second)) }, check.Unknown, "LoadKeptSchedule"},
		{"a load generator that stalls, and bursts that slow the service", nil, func(r *recorded) {
			r.each(ordered, late(time.Second))
			r.each(ordered, func(c *evidence.Request) { c.End += time.Second })
		}, check.Unknown, "LoadKeptSchedule"},
		{"a load generator that stalls, and bursts that use up the quota", nil, func(r *recorded) {
			r.each(ordered, late(time.Second))
			c := &r.requests[500]
			c.Outcome, c.Status, c.RetryAfter = evidence.Refused, 429, time.Second
		}, check.Unknown, "LoadKeptSchedule"},
		{"a request that was refused for its rate, in time", nil, func(r *recorded) {
			c := &r.requests[500]
			c.Outcome, c.Status, c.RetryAfter = evidence.Refused, 429, time.Second
		}, check.Fail, "NothingDropped"},
		{"requests that were never sent", nil, func(r *recorded) {
			c := &r.requests[7]
			c.Outcome, c.Sent, c.Status = evidence.Unsent, 0, 0
		}, check.Unknown, "LoadKeptSchedule: 1 planned requests were not sent"},
		{"a slow load generator and a double effect", nil, func(r *recorded) { r.each(0, late(50*time.Millisecond)); r.actTwice() }, check.Fail, "OncePerKey"},
		{"a slow load generator and a dropped request", nil, func(r *recorded) {
			r.each(0, late(50*time.Millisecond))
			r.requests[9].Outcome, r.requests[9].Status = evidence.Failed, 502
		}, check.Fail, "NothingDropped"},

		{"a service that panics and dies", nil, func(r *recorded) { r.exits = append(r.exits, evidence.Exit{Node: "app-1", At: loadTo, Code: 2}) }, check.Fail, "NoUnplannedDeath: app-1 ended with code 2"},
		{"ends of processes that nobody watched for", nil, func(r *recorded) { r.forget(evidence.ProbeExits, evidence.ProbeCollected) }, check.Unknown, "NoUnplannedDeath: nobody watched"},
		{"a service that panics and lives", nil, func(r *recorded) {
			r.defects = []evidence.LogDefect{{Node: "app-1", Line: 4, What: evidence.LogPanic, Text: "panic: nil map"}}
		}, check.Fail, "NoPanics: 1 panic in the logs; the first, logs/app-1.log line 4: panic: nil map"},
		{"another node that dies", nil, func(r *recorded) { r.exits = append(r.exits, evidence.Exit{Node: "helper-1", At: loadTo, Code: 2}) }, check.Unknown, "NoUnplannedDeath: helper-1"},
		{"a service that refuses to be scraped", nil, func(r *recorded) {
			for i := range r.samples {
				if s := &r.samples[i]; s.At > loadTo-2*time.Second {
					s.Values, s.Error = nil, "connection refused"
				}
			}
		}, check.Fail, "ProbesSampled: app-1 did not answer scrapes"},
		{"a probe that did not look", nil, func(r *recorded) { r.samples = r.samples[:15] }, check.Unknown, "ProbesSampled: app-1 was not looked at"},

		{"a service whose requests never recover", nil, func(r *recorded) {
			r.each(ordered, func(c *evidence.Request) { c.Outcome, c.Status = evidence.Failed, 502 })
		}, check.Fail, "NothingDropped"},
		{"a service that stays slow", nil, func(r *recorded) { r.each(ordered, func(c *evidence.Request) { c.End += 2 * time.Second }) }, check.Fail, "WorstAddedLatency"},
		{"a service that never gets ready again", nil, func(r *recorded) { r.saw(ordered, evidence.SourceReady, "app-1", evidence.SawDown) }, check.Fail, "HealthyAfter: app-1 had not recovered"},
		{"a service that never comes back from its own kill", instead(victim), func(r *recorded) {
			r.exits, r.injections = nil, nil
			r.kill("app-1")
			r.observations = r.observations[:len(r.observations)-1]
		}, check.Fail, "HealthyAfter: app-1 had not recovered"},
		{"another node that never comes back", nil, func(r *recorded) { r.forget("store-1", evidence.SawUp) }, check.Unknown, "HealthyAfter: store-1 was still down"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, s := newRecorded(), small(storeKill())
			if c.faults != nil {
				s = small(c.faults...)
			}
			c.alter(r)
			dir := t.TempDir()
			r.save(t, dir)
			_, j, err := harness.Judge(dir, s)
			if err != nil {
				t.Fatal(err)
			}
			if j.Status != c.want || !strings.Contains(j.Reason, c.reason) {
				t.Errorf("%s: %s; want %s: %s", j.Status, j.Reason, c.want, c.reason)
			}
			if strings.Contains(j.Reason, "\n") {
				t.Errorf("the reason is not one line: %q", j.Reason)
			}
		})
	}
}

// TestCutShortIsInconclusive: whatever a killed harness left of any file, and whatever was lost of it since, the run is judged
// and says Unknown; only the whole evidence passes.
func TestCutShortIsInconclusive(t *testing.T) {
	dir := t.TempDir()
	newRecorded().save(t, dir)
	whole := map[string][]byte{}
	paths, err := filepath.Glob(filepath.Join(dir, "evidence", "*"))
	if err != nil || len(paths) < 9 {
		t.Fatalf("%v, %v", paths, err)
	}
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		whole[p] = b
	}
	judge := func(t rapid.TB) check.Judgement {
		_, j, err := harness.Judge(dir, small(storeKill()))
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	if j := judge(t); j.Status != check.Pass {
		t.Fatalf("whole: %s: %s", j.Status, j.Reason)
	}
	manifest := filepath.Join(dir, "evidence", "manifest.json")
	rapid.Check(t, func(t *rapid.T) {
		intact := true
		for _, p := range paths {
			b := whole[p]
			cut := len(b)
			if p != manifest && rapid.Bool().Draw(t, "cut "+filepath.Base(p)) {
				cut = rapid.IntRange(0, len(b)).Draw(t, "at")
			}
			intact = intact && cut == len(b)
			if err := os.WriteFile(p, b[:cut], 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if rapid.Bool().Draw(t, "no manifest") {
			intact = false
			if err := os.Remove(manifest); err != nil {
				t.Fatal(err)
			}
		}
		j := judge(t)
		if want := map[bool]check.Status{true: check.Pass, false: check.Unknown}[intact]; j.Status != want {
			t.Fatalf("%s: %s; want %s", j.Status, j.Reason, want)
		}
		if !intact && !strings.HasPrefix(j.Reason, "EvidenceComplete: the evidence is incomplete") {
			t.Fatalf("%s", j.Reason)
		}
	})
}
