package harness_test

import (
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
	"pgregory.net/rapid"
)

// What a small run was: 20 s of load on one gateway, a fault of what it depends on after 5 s, and its heal after 10 s.
const (
	loadFrom, loadTo = 10 * time.Second, 30 * time.Second
	ordered, healing = 15 * time.Second, 20 * time.Second
	every            = 20 * time.Millisecond
	hitTakes         = 4 * time.Millisecond
	missTakes        = 300 * time.Millisecond
)

// recorded is a run in the making.
type recorded struct {
	plan evidence.Plan
	evidence.Records
}

// newRecorded is a run in which store-1 was killed and nothing went wrong: hits, and a miss every 100 ms.
func newRecorded() *recorded {
	r := &recorded{plan: evidence.Plan{Scenario: "small", Params: map[string]time.Duration{evidence.ParamLifetime: time.Hour,
		evidence.ParamMaxAge: 2 * time.Hour, evidence.ParamLease: 5 * time.Second, evidence.ParamLLMTimeout: 2 * time.Second}}}
	r.called("hot", time.Second)
	for due := loadFrom; due < loadTo; due += every {
		key, takes := "hot", hitTakes
		if due%(100*time.Millisecond) == 0 {
			key, takes = fmt.Sprintf("cold-%d", due), missTakes
			r.called(key, due)
		}
		r.Calls = append(r.Calls, evidence.Call{Seq: uint64(len(r.Calls)), ID: fmt.Sprint(due), Tenant: "acme", Key: key, Due: due, Sent: due,
			End: due + takes, Conns: 1, Status: 200, Outcome: evidence.OK, Answer: evidence.Answer{CallID: key, Tenant: "acme", Key: key}})
	}
	r.plan.Load = []evidence.Stage{{Name: "steady", Requests: uint64(len(r.Calls))}}
	r.Nodes = []evidence.Node{{Name: "gateway-1", Role: "gateway", Subject: true}, {Name: "store-1", Role: "store"}, {Name: "llm-1", Role: "llm"}}
	r.Windows = []evidence.Window{{Name: evidence.PhaseLoad, From: loadFrom, To: loadTo},
		{Name: evidence.PhaseQuiesce, From: loadTo, To: loadTo + 6*time.Second}, {Name: evidence.PhaseCollect, From: loadTo + 6*time.Second, To: loadTo + 7*time.Second}}
	for at := loadFrom - time.Second; at < loadTo+6*time.Second; at += time.Second {
		r.Samples = append(r.Samples, evidence.Sample{At: at, Node: "gateway-1", Boot: "1", Values: map[string]float64{"active": 0}})
	}
	r.saw(5*time.Second, evidence.SourceReady, "gateway-1", evidence.SawUp)
	r.saw(loadTo+7*time.Second, evidence.SourceProbe, evidence.ProbeLogs, evidence.ProbeCollected)
	r.kill("store-1")
	return r
}

// called adds a call of the upstream that answers the key for an hour.
func (r *recorded) called(key string, at time.Duration) {
	r.Upstream = append(r.Upstream, evidence.Upstream{ID: key, Tenant: "acme", Key: key, N: 1, Caller: "gateway-1", Arrived: at + time.Millisecond,
		Ended: at + missTakes - time.Millisecond, Outcome: evidence.UpstreamOK, Status: 200, Billed: true})
}

func (r *recorded) saw(at time.Duration, source, node, what string) {
	r.Observations = append(r.Observations, evidence.Observation{At: at, Source: source, Node: node, What: what})
}

// kill leaves what a kill of the node leaves.
func (r *recorded) kill(node string) {
	r.Injections = append(r.Injections, evidence.Injection{Fault: "kill " + node, Target: node, Ordered: ordered, Healing: healing})
	r.Exits = append(r.Exits, evidence.Exit{Node: node, At: ordered + 20*time.Millisecond, Code: 137})
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
	each(r.Calls, rec.Call)
	each(r.Upstream, rec.Upstream)
	each(r.Samples, rec.Sample)
	each(r.Exits, rec.Exit)
	each(r.Injections, rec.Injection)
	each(r.Observations, rec.Observation)
	each(r.Windows, rec.Window)
	each(r.Nodes, rec.Node)
	each(r.LogLines, rec.LogLine)
	if err := rec.WritePlan(r.plan); err != nil {
		t.Fatal(err)
	}
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
}

func each[T any](all []T, put func(T)) {
	for _, v := range all {
		put(v)
	}
}

// small claims what newRecorded kept.
func small(faults ...fault.Fault) harness.Scenario {
	s := harness.Scenario{Name: "small", Expect: []check.Check{check.NothingDropped(), check.OncePerKey(), check.RightAnswer(), check.NoPanics()}}
	for _, f := range faults {
		s.Faults = append(s.Faults, fault.Step{Fault: f})
		s.Expect = append(s.Expect, check.WorstAddedLatency(f.Name, f.Certificate, 100*time.Millisecond), check.RecoversWithin(f.Name, f.Certificate, time.Second))
	}
	return s
}

func storeKill() fault.Fault { return fault.Fault{Name: "kill store-1", Certificate: check.Killed} }

// calls alters the requests that are due from a moment on.
func (r *recorded) calls(from time.Duration, alter func(*evidence.Call)) {
	for i := range r.Calls {
		if r.Calls[i].Due >= from {
			alter(&r.Calls[i])
		}
	}
}

func late(by time.Duration) func(*evidence.Call) {
	return func(c *evidence.Call) { c.Sent += by; c.End += by }
}

// callTwice lets the upstream be asked twice at once for the key of a miss.
func (r *recorded) callTwice() {
	u := r.Upstream[len(r.Upstream)/2]
	u.ID, u.N, u.Arrived = "again", 2, u.Arrived+time.Millisecond
	r.Upstream = append(r.Upstream, u)
}

func (r *recorded) forget(node, what string) {
	r.Observations = slices.DeleteFunc(r.Observations, func(o evidence.Observation) bool { return o.Node == node && o.What == what })
}

// TestWhoIsToBlame: what proves that the service broke a promise fails the run, whatever else is wrong; anything else that
// went wrong leaves it without a verdict, and the reason says what is missing.
func TestWhoIsToBlame(t *testing.T) {
	slow := fault.Fault{Name: "slow llm-1", Certificate: check.UpstreamSlowed(time.Second)}
	victim := fault.Fault{Name: "kill gateway-1", Certificate: check.Killed}
	instead := func(f fault.Fault) []fault.Fault { return []fault.Fault{f} }
	for _, c := range []struct {
		name   string
		faults []fault.Fault
		alter  func(*recorded)
		want   check.Status
		reason string
	}{
		{"nothing went wrong", nil, func(*recorded) {}, check.Pass, "all 6 checks hold"},

		{"a kill that hit nothing", nil, func(r *recorded) {
			r.Exits = nil
			r.forget("store-1", evidence.SawDown)
			r.forget("store-1", evidence.SawUp)
		},
			check.Unknown, `fault "kill store-1" is not certified: not certified: the engine recorded no exit of store-1`},
		{"latency that was not applied", instead(slow), func(r *recorded) {
			r.Exits, r.Injections = nil, []evidence.Injection{{Fault: slow.Name, Target: "llm-1", Ordered: ordered, Healing: healing}}
		}, check.Unknown, `fault "slow llm-1" is not certified: not certified: no upstream call that arrived between the order and the heal was delayed by 1s`},
		{"an injector that failed", nil, func(r *recorded) { r.Injections[0].Error = "engine gone" }, check.Unknown, "the injector failed: engine gone"},
		{"an injector that tells a long story", nil, func(r *recorded) { r.Injections[0].Undo = "engine gone\nno route" }, check.Unknown, "the heal failed: engine gone; no route"},
		{"a probe that tells a long story", nil, func(r *recorded) {
			r.Observations = append(r.Observations, evidence.Observation{Source: evidence.SourceProbe, Node: "leases", What: evidence.ProbeFailed, Detail: "no redis\nno postgres"})
		}, check.Unknown, "EvidenceComplete: probe leases failed: no redis; no postgres"},
		{"a fault that was never injected", nil, func(r *recorded) { r.Injections = nil; r.Exits = nil }, check.Unknown, "it was planned and never injected"},
		{"a fault that only the saved plan has", nil, func(r *recorded) { r.plan.Faults = []evidence.Step{{Fault: "kill store-1"}, {Fault: slow.Name}} },
			check.Unknown, `fault "slow llm-1" is not certified: it was planned, and the scenario of this build does not have it`},
		{"a fault without effect, and a double call", nil, func(r *recorded) { r.Exits = nil; r.callTwice() }, check.Fail, "OncePerKey"},

		{"a slow load generator", nil, func(r *recorded) { r.calls(0, late(50*time.Millisecond)) }, check.Unknown, "LoadKeptSchedule: requests were sent late: lag p99 50.0 ms, limit 20 ms"},
		{"a load generator that stalls from the fault on", nil, func(r *recorded) { r.calls(ordered, late(time.Second)) }, check.Unknown, "LoadKeptSchedule"},
		{"a load generator that stalls, and bursts that slow the service", nil, func(r *recorded) {
			r.calls(ordered, late(time.Second))
			r.calls(ordered, func(c *evidence.Call) { c.End += time.Second })
		}, check.Unknown, "LoadKeptSchedule"},
		{"a load generator that stalls, and bursts that use up the quota", nil, func(r *recorded) {
			r.calls(ordered, late(time.Second))
			c := &r.Calls[500]
			c.Outcome, c.Status, c.RetryAfter, c.Answer = evidence.Refused, 429, time.Second, evidence.Answer{}
		}, check.Unknown, "LoadKeptSchedule"},
		{"a request that was refused for its rate, in time", nil, func(r *recorded) {
			c := &r.Calls[500]
			c.Outcome, c.Status, c.RetryAfter, c.Answer = evidence.Refused, 429, time.Second, evidence.Answer{}
		}, check.Fail, "NothingDropped"},
		{"requests that were never sent", nil, func(r *recorded) {
			c := &r.Calls[7]
			c.Outcome, c.Sent, c.Status, c.Answer = evidence.Unsent, 0, 0, evidence.Answer{}
		}, check.Unknown, "LoadKeptSchedule: 1 planned requests were not sent"},
		{"a slow load generator and a double call", nil, func(r *recorded) { r.calls(0, late(50*time.Millisecond)); r.callTwice() }, check.Fail, "OncePerKey"},
		{"a slow load generator and a dropped request", nil, func(r *recorded) {
			r.calls(0, late(50*time.Millisecond))
			r.Calls[9].Outcome, r.Calls[9].Status = evidence.Failed, 502
		}, check.Fail, "NothingDropped"},

		{"a gateway that panics and dies", nil, func(r *recorded) { r.Exits = append(r.Exits, evidence.Exit{Node: "gateway-1", At: loadTo, Code: 2}) }, check.Fail, "NoUnplannedDeath: gateway-1 ended with code 2"},
		{"a gateway that panics and lives", nil, func(r *recorded) {
			r.LogLines = []evidence.LogLine{{Node: "gateway-1", Line: 4, What: evidence.LogPanic, Text: "panic: nil map"}}
		}, check.Fail, "NoPanics: 1 panic in the logs; the first, logs/gateway-1.log line 4: panic: nil map"},
		{"another node that dies", nil, func(r *recorded) { r.Exits = append(r.Exits, evidence.Exit{Node: "llm-1", At: loadTo, Code: 2}) }, check.Unknown, "NoUnplannedDeath: llm-1"},
		{"a gateway that refuses to be scraped", nil, func(r *recorded) {
			for i := range r.Samples {
				if s := &r.Samples[i]; s.At > loadTo-2*time.Second {
					s.Values, s.Error = nil, "connection refused"
				}
			}
		}, check.Fail, "ProbesSampled: gateway-1 did not answer scrapes"},
		{"a probe that did not look", nil, func(r *recorded) { r.Samples = r.Samples[:15] }, check.Unknown, "ProbesSampled: gateway-1 was not looked at"},

		{"a gateway whose requests never recover", nil, func(r *recorded) {
			r.calls(ordered, func(c *evidence.Call) { c.Outcome, c.Status, c.Answer = evidence.Failed, 502, evidence.Answer{} })
		}, check.Fail, "NothingDropped"},
		{"a gateway that stays slow", nil, func(r *recorded) { r.calls(ordered, func(c *evidence.Call) { c.End += 2 * time.Second }) }, check.Fail, "WorstAddedLatency"},
		{"a gateway that never gets ready again", nil, func(r *recorded) { r.saw(ordered, evidence.SourceReady, "gateway-1", evidence.SawDown) }, check.Fail, "HealthyAfter: gateway-1 had not recovered"},
		{"a gateway that never comes back from its own kill", instead(victim), func(r *recorded) {
			r.Exits, r.Injections = nil, nil
			r.kill("gateway-1")
			r.Observations = r.Observations[:len(r.Observations)-1]
		}, check.Fail, "HealthyAfter: gateway-1 had not recovered"},
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
	if err != nil || len(paths) < 10 {
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
