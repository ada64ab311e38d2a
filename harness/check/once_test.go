package check_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// In these histories the lifetime is 53 s (54 less the margin), the LLM timeout 2 s and the lease 1 s; times are ms.

type upstreamCall struct {
	caller    string
	from, to  int // to 0: still in flight
	outcome   string
	toldAfter int // ms after its end at which a client held the answer; 0 for nobody
}

func onceRun(calls []upstreamCall, faults evidence.Records, drop string) *evidence.Run {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	p := scripted("").plan
	delete(p.Params, drop)
	r := faults
	r.Windows = []evidence.Window{{Name: evidence.PhaseLoad, From: 1}}
	for i, c := range calls {
		u := evidence.Upstream{ID: string(rune('a' + i)), RequestID: string(rune('A' + i)), Key: "k", N: uint64(i + 1), Caller: c.caller,
			Arrived: ms(c.from), Ended: ms(c.to), Outcome: c.outcome, Billed: c.outcome == evidence.UpstreamOK, Cost: 2_000_000_000}
		r.Upstream = append(r.Upstream, u)
		call := evidence.Call{Seq: uint64(i), ID: u.RequestID, Outcome: evidence.Ambiguous}
		if c.toldAfter > 0 {
			call.Outcome, call.End, call.Answer.CallID = evidence.OK, u.Ended+ms(c.toldAfter), u.ID
		}
		r.Calls = append(r.Calls, call)
	}
	return evidence.New(p, r)
}

// killAt and freezeAt are certified faults on gateway-1.
func killAt(ordered int) evidence.Records { return faultAt(evidence.FaultKill, ordered, ordered+1000) }

func faultAt(kind string, ordered, healing int) evidence.Records {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	r := evidence.Records{
		Injections: []evidence.Injection{{Fault: kind + " gateway-1", Target: "gateway-1", Ordered: ms(ordered), Healing: ms(healing)}},
		Observations: []evidence.Observation{{At: ms(ordered + 100), Source: "ready", Node: "gateway-1", What: "down"},
			{At: ms(healing + 100), Source: "ready", Node: "gateway-1", What: "up"}},
	}
	if kind == evidence.FaultKill {
		r.Exits = []evidence.Exit{{Node: "gateway-1", At: ms(ordered + 20), Code: 137}}
	}
	return r
}

// onceCase is the calls of one key, and what OncePerKey makes of them.
type onceCase struct {
	name   string
	calls  []upstreamCall
	faults evidence.Records
	drop   string
	want   check.Status
	extra  float64 // explained
	reason string
}

func onceCases() []onceCase {
	const ok, bad, hungUp, running = evidence.UpstreamOK, evidence.UpstreamError, evidence.UpstreamHungUp, evidence.UpstreamRunning
	none := evidence.Records{}
	uncertified := killAt(500)
	uncertified.Exits = nil
	seenUpLate := faultAt(evidence.FaultFreeze, 500, 3000)
	seenUpLate.Observations[1].At += 200 * time.Millisecond
	twice := faultAt(evidence.FaultFreeze, 500, 3000)
	again := faultAt(evidence.FaultFreeze, 60_500, 63_000)
	twice.Injections, twice.Observations = append(twice.Injections, again.Injections...), append(twice.Observations, again.Observations...)
	return []onceCase{
		{"one call", []upstreamCall{{"gateway-1", 100, 400, ok, 5}}, none, "", check.Pass, 0, ""},
		{"another one when the first has expired", []upstreamCall{{"gateway-1", 100, 400, ok, 5}, {"gateway-2", 53_400, 53_700, ok, 5}}, none, "", check.Pass, 0, ""},
		{"another one just before", []upstreamCall{{"gateway-1", 100, 400, ok, 5}, {"gateway-2", 53_399, 53_700, ok, 5}}, none, "", check.Fail, 0, "which succeeded 52999 ms before"},
		{"two at once", []upstreamCall{{"gateway-1", 100, 400, ok, 5}, {"gateway-2", 150, 450, ok, 5}}, none, "", check.Fail, 0, "call b by gateway-2 for key k came 50 ms after call a by gateway-1, still in flight"},
		{"the first never ends", []upstreamCall{{"gateway-1", 100, 0, running, 0}, {"gateway-2", 1500, 1800, ok, 5}}, none, "", check.Fail, 0, "still in flight"},

		{"(i) after an error", []upstreamCall{{"gateway-1", 100, 400, bad, 0}, {"gateway-1", 500, 800, ok, 5}}, none, "", check.Pass, 1, ""},
		{"(i) after a hang-up seen late", []upstreamCall{{"gateway-1", 100, 480, hungUp, 0}, {"gateway-1", 400, 700, ok, 5}}, none, "", check.Pass, 1, ""},
		{"(i) not during a call that fails much later", []upstreamCall{{"gateway-1", 100, 900, bad, 0}, {"gateway-2", 400, 700, ok, 5}}, none, "", check.Fail, 0, "still in flight"},
		{"(i) does not excuse a third", []upstreamCall{{"gateway-1", 100, 400, bad, 0}, {"gateway-1", 500, 800, ok, 5}, {"gateway-1", 900, 950, ok, 5}}, none, "", check.Fail, 1, "call c"},
		{"(i) long ago", []upstreamCall{{"gateway-1", 100, 400, bad, 0}, {"gateway-1", 60_000, 60_300, ok, 5}}, none, "", check.Pass, 0, ""},

		{"(ii) at the timeout", []upstreamCall{{"gateway-1", 100, 2500, ok, 0}, {"gateway-1", 2050, 2300, ok, 5}}, none, "", check.Pass, 1, ""},
		{"(ii) not before", []upstreamCall{{"gateway-1", 100, 2500, ok, 0}, {"gateway-1", 1900, 2300, ok, 5}}, none, "", check.Fail, 0, ""},
		{"(ii) not when it was answered", []upstreamCall{{"gateway-1", 100, 2050, ok, 5}, {"gateway-1", 2100, 2300, ok, 5}}, none, "", check.Fail, 0, ""},

		{"(iii) caller killed in flight", []upstreamCall{{"gateway-1", 300, 800, ok, 0}, {"gateway-2", 700, 1000, ok, 5}}, killAt(500), "", check.Pass, 1, ""},
		{"(iii) caller killed before it stored", []upstreamCall{{"gateway-1", 100, 490, ok, 0}, {"gateway-2", 700, 1000, ok, 5}}, killAt(500), "", check.Pass, 1, ""},
		{"(iii) somebody had the answer", []upstreamCall{{"gateway-1", 100, 490, ok, 5}, {"gateway-2", 700, 1000, ok, 5}}, killAt(500), "", check.Fail, 0, ""},
		{"(iii) stored long before", []upstreamCall{{"gateway-1", 100, 400, ok, 0}, {"gateway-2", 9700, 9900, ok, 5}}, killAt(9500), "", check.Fail, 0, ""},
		{"(iii) another caller killed", []upstreamCall{{"gateway-3", 100, 490, ok, 0}, {"gateway-2", 700, 1000, ok, 5}}, killAt(500), "", check.Fail, 0, ""},
		{"(iii) too early", []upstreamCall{{"gateway-1", 100, 490, ok, 0}, {"gateway-2", 300, 1000, ok, 5}}, killAt(500), "", check.Fail, 0, ""},
		{"(iii) not certified", []upstreamCall{{"gateway-1", 100, 490, ok, 0}, {"gateway-2", 700, 1000, ok, 5}}, uncertified, "", check.Fail, 0, ""},
		{"(iii) SIGTERM explains nothing", []upstreamCall{{"gateway-1", 100, 490, ok, 0}, {"gateway-2", 700, 1000, ok, 5}}, faultAt(evidence.FaultTerm, 500, 900), "", check.Fail, 0, ""},

		{"(iv) caller frozen beyond its lease", []upstreamCall{{"gateway-1", 300, 800, ok, 0}, {"gateway-2", 1700, 2000, ok, 5}}, faultAt(evidence.FaultFreeze, 500, 3000), "", check.Pass, 1, ""},
		{"(iv) frozen for less", []upstreamCall{{"gateway-1", 300, 800, ok, 0}, {"gateway-2", 1000, 1300, ok, 5}}, faultAt(evidence.FaultFreeze, 500, 1300), "", check.Fail, 0, ""},
		{"(iv) once per key and fault", []upstreamCall{{"gateway-1", 300, 800, ok, 0}, {"gateway-2", 1700, 2000, ok, 0}, {"gateway-3", 2200, 2300, ok, 5}}, faultAt(evidence.FaultFreeze, 500, 3000), "", check.Fail, 1, "call c"},
		{"(iv) again after one that failed", []upstreamCall{{"gateway-1", 300, 800, ok, 0}, {"gateway-2", 2700, 2900, bad, 0}, {"gateway-2", 3200, 3300, ok, 5}}, faultAt(evidence.FaultFreeze, 500, 3000), "", check.Pass, 2, ""},
		{"(iv) again after one that failed later", []upstreamCall{{"gateway-1", 300, 800, ok, 0}, {"gateway-2", 2700, 3600, bad, 0}, {"gateway-2", 3200, 3300, ok, 5}}, faultAt(evidence.FaultFreeze, 500, 3000), "", check.Fail, 1, "call c"},
		{"(iv) and a third after one that failed", []upstreamCall{{"gateway-1", 300, 800, ok, 0}, {"gateway-2", 2700, 2900, bad, 0}, {"gateway-2", 3200, 3300, ok, 5}, {"gateway-3", 3400, 3500, ok, 5}}, faultAt(evidence.FaultFreeze, 500, 3000), "", check.Fail, 2, "call d"},
		{"(iv) again after one that outlived its timeout", []upstreamCall{{"gateway-1", 300, 800, ok, 0}, {"gateway-2", 1700, 3750, ok, 0}, {"gateway-2", 3700, 3900, ok, 5}}, faultAt(evidence.FaultFreeze, 500, 3000), "", check.Pass, 2, ""},
		{"(iv) again in another freeze", []upstreamCall{{"gateway-1", 300, 800, ok, 0}, {"gateway-2", 1700, 2000, ok, 5}, {"gateway-1", 60_300, 60_800, ok, 0}, {"gateway-2", 61_700, 62_000, ok, 5}}, twice, "", check.Pass, 2, ""},
		{"(iv) thawed, it fails and calls again", []upstreamCall{{"gateway-2", 1700, 2000, ok, 5}, {"gateway-1", 3050, 3150, bad, 0}, {"gateway-1", 3200, 3500, ok, 5}}, faultAt(evidence.FaultFreeze, 500, 3000), "", check.Fail, 1, "call c"},
		{"(iv) thawed, it fails beside another again and again", []upstreamCall{{"gateway-2", 2900, 3900, ok, 5}, {"gateway-1", 3050, 3150, bad, 0}, {"gateway-1", 3250, 3350, bad, 0}}, faultAt(evidence.FaultFreeze, 500, 3000), "", check.Fail, 1, "call c"},
		{"(iv) thawed, it takes the place of one that failed", []upstreamCall{{"gateway-1", 300, 3150, hungUp, 0}, {"gateway-2", 1700, 1800, bad, 0}, {"gateway-2", 2500, 3300, ok, 0}, {"gateway-1", 3200, 3500, ok, 5}}, faultAt(evidence.FaultFreeze, 500, 3000), "", check.Fail, 2, "call d"},
		{"(iv) thawed, it calls before others see it", []upstreamCall{{"gateway-2", 1700, 2000, ok, 5}, {"gateway-1", 3002, 3205, hungUp, 0}}, seenUpLate, "", check.Pass, 1, ""},
		{"(iv) it calls before it is thawed", []upstreamCall{{"gateway-2", 1700, 2000, ok, 5}, {"gateway-1", 2990, 3205, hungUp, 0}}, seenUpLate, "", check.Fail, 0, "call b by gateway-1"},
		{"(iv) the extra one's caller frozen", []upstreamCall{{"gateway-2", 1700, 2000, ok, 5}, {"gateway-1", 3050, 3400, ok, 0}}, faultAt(evidence.FaultFreeze, 500, 3000), "", check.Pass, 1, ""},
		{"(iv) stored long before the extra one's caller froze", []upstreamCall{{"gateway-2", 100, 400, ok, 5}, {"gateway-1", 12_050, 12_400, ok, 5}}, faultAt(evidence.FaultFreeze, 9500, 12_000), "", check.Fail, 0, "call b by gateway-1"},

		{"no ledger", nil, none, "", check.Unknown, 0, "no ledger"},
		{"no lifetime", []upstreamCall{{"gateway-1", 100, 400, ok, 5}}, none, evidence.ParamLifetime, check.Unknown, 0, "lifetime"},
		{"no timeout", []upstreamCall{{"gateway-1", 100, 400, ok, 5}}, none, evidence.ParamLLMTimeout, check.Unknown, 0, "timeout"},
		{"no lease", []upstreamCall{{"gateway-1", 100, 400, ok, 5}}, none, evidence.ParamLease, check.Unknown, 0, "lease"},
	}
}

func TestOncePerKey(t *testing.T) {
	for _, c := range onceCases() {
		t.Run(c.name, func(t *testing.T) {
			v := check.OncePerKey().Judge(onceRun(c.calls, c.faults, c.drop))
			if v.Status != c.want || !strings.Contains(v.Reason, c.reason) {
				t.Errorf("%s: %s; want %s: ...%s...", v.Status, v.Reason, c.want, c.reason)
			}
			if v.Figures["extra_explained"] != c.extra {
				t.Errorf("explained %v, want %v", v.Figures["extra_explained"], c.extra)
			}
		})
	}
}

// TestSavings: ten answers of which two were billed saved what eight would have cost.
func TestSavings(t *testing.T) {
	run := func() *evidence.Run {
		r := evidence.Records{Windows: []evidence.Window{{Name: evidence.PhaseLoad, From: 10}}}
		for i := range 10 {
			call := []string{"a", "b"}[i%2]
			r.Calls = append(r.Calls, evidence.Call{Seq: uint64(i), Outcome: evidence.OK, End: 30, Answer: evidence.Answer{CallID: call}})
		}
		for _, u := range []evidence.Upstream{{ID: "warm", Key: "w", Arrived: 1, Ended: 2}, {ID: "a", Key: "a", Arrived: 11, Ended: 20}, {ID: "b", Key: "b", Arrived: 12, Ended: 20}} {
			u.N, u.Outcome, u.Billed, u.Cost = 1, evidence.UpstreamOK, true, 1_500_000_000
			r.Upstream = append(r.Upstream, u)
		}
		return evidence.New(scripted("").plan, r)
	}()
	v := check.OncePerKey().Judge(run)
	want := map[string]float64{"calls": 2, "keys": 3, "answers": 10, "calls_avoided": 8, "billed_usd": 3, "saved_usd": 12, "extra_unexplained": 0}
	for name, w := range want {
		if v.Figures[name] != w {
			t.Errorf("%s = %v, want %v", name, v.Figures[name], w)
		}
	}
}

// TestCulpritsAreNamed: the verdict names the requests that made the extra calls, and not too many of them.
func TestCulpritsAreNamed(t *testing.T) {
	var calls []upstreamCall
	for i := range 40 {
		calls = append(calls, upstreamCall{"gateway-1", 100 + i, 400 + i, evidence.UpstreamOK, 5})
	}
	v := check.OncePerKey().Judge(onceRun(calls, evidence.Records{}, ""))
	if v.Figures["extra_unexplained"] != 39 || len(v.Calls) != check.MaxCalls || v.Calls[0] != 1 {
		t.Errorf("%v: %v", v.Figures, v.Calls)
	}
}

// TestAHoleHidesNoDoubleCall: what a ledger with a hole still has proves a call too many all the same, and nothing else; a ledger
// that contradicts itself proves nothing.
func TestAHoleHidesNoDoubleCall(t *testing.T) {
	const ok = evidence.UpstreamOK
	twice := []upstreamCall{{"gateway-1", 100, 400, ok, 5}, {"gateway-2", 150, 450, ok, 5}}
	once := []upstreamCall{{"gateway-1", 100, 400, ok, 5}, {"gateway-2", 60_000, 60_300, ok, 5}}
	hole := func(us []evidence.Upstream) { us[1].N = 3 }
	for _, c := range []struct {
		name   string
		calls  []upstreamCall
		alter  func([]evidence.Upstream)
		want   check.Status
		reason string
	}{
		{"a hole", once, hole, check.Unknown, "has a hole: call b is number 3"},
		{"a hole and a double call", twice, hole, check.Fail, "1 calls too many"},
		{"one number twice", twice, func(us []evidence.Upstream) { us[1].N = 1 }, check.Unknown, "call b is number 1 of its key, after number 1"},
		{"a hole, one call twice", twice, func(us []evidence.Upstream) { us[1].N, us[1].ID = 3, us[0].ID }, check.Unknown, "lists call a twice"},
		{"billed for nothing", twice, func(us []evidence.Upstream) { us[1].N, us[1].Billed = 3, false }, check.Unknown, "contradicts itself"},
	} {
		run := onceRun(c.calls, evidence.Records{}, "")
		r := evidence.Records{Calls: slices.Collect(run.Calls()), Upstream: slices.Collect(run.Upstream()), Windows: slices.Collect(run.Windows())}
		c.alter(r.Upstream)
		v := check.OncePerKey().Judge(evidence.New(run.Plan, r))
		if v.Status != c.want || !strings.Contains(v.Reason, c.reason) {
			t.Errorf("%s: %s: %s; want %s: ...%s...", c.name, v.Status, v.Reason, c.want, c.reason)
		}
	}
}
