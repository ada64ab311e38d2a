package check_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// assumptionCases are about evidence that is whole, and a load that kept its schedule.
func assumptionCases() []verdictCase {
	const term = evidence.FaultTerm
	whole, kept := check.EvidenceComplete(), check.LoadKeptSchedule()
	seventh := func(alter func(*evidence.Request)) func(*history) {
		return func(h *history) { alter(&h.requests[6]) }
	}
	noWindow := func(i int) func(*history) {
		return func(h *history) { h.windows = append(h.windows[:i:i], h.windows[i+1:]...) }
	}
	herd := func(lag time.Duration) func(*history) {
		return func(h *history) {
			h.requests = slices.Repeat(h.requests[:1], 1001)
			for i := range h.requests {
				h.requests[i].Sent = h.requests[i].Due + lag
			}
		}
	}
	return []verdictCase{
		{"whole", whole, term, unchanged, check.Pass, ""},
		{"a probe failed", whole, "", func(h *history) {
			h.observations = append(h.observations, evidence.Observation{Source: evidence.SourceProbe, Node: "books", What: evidence.ProbeFailed, Detail: "gone"})
		}, check.Unknown, "books failed: gone"},
		{"no load", whole, "", noWindow(1), check.Unknown, `phase "load"`},
		{"no collection", whole, "", noWindow(3), check.Unknown, `phase "collect"`},
		{"one missing", whole, "", func(h *history) { h.requests = h.requests[:6] }, check.Unknown, "7 requests were planned and 6 are recorded"},
		{"same id twice", whole, "", func(h *history) { h.requests[1].ID = h.requests[0].ID }, check.Unknown, "two requests have the id 1-0"},
		{"same id twice, in no order", whole, "", func(h *history) {
			for i := range h.requests {
				h.requests[i].ID = fmt.Sprint("1-", (i*4+2)%7%6)
			}
		}, check.Unknown, "two requests have the id 1-0"},
		{"ids in no order", whole, "", func(h *history) {
			for i := range h.requests {
				h.requests[i].ID = fmt.Sprint("1-", (i*4+2)%7)
			}
		}, check.Pass, ""},
		{"strange target", whole, term, func(h *history) { h.injections[0].Target = "app-7" }, check.Unknown, "app-7"},
		{"no target", whole, term, func(h *history) { h.injections[0].Target = "" }, check.Unknown, `records name ""`},
		{"no target was found", whole, term, func(h *history) { h.injections[0].Target, h.injections[0].Error = "", "nobody leads" }, check.Pass, ""},
		{"strange exit", whole, term, func(h *history) { h.exits[0].Node = "app-8" }, check.Unknown, "app-8"},
		{"strange sample", whole, term, func(h *history) { h.samples[3].Node = "app-9" }, check.Unknown, "app-9"},
		{"unsent yet sent", whole, "", seventh(func(q *evidence.Request) { q.Outcome = evidence.Unsent }), check.Unknown, "is unsent, yet was sent"},
		{"ended too soon", whole, "", seventh(func(q *evidence.Request) { q.End = time.Second }), check.Unknown, "request 6 ended before it was sent"},
		{"due too soon", whole, "", seventh(func(q *evidence.Request) { q.Due = time.Second }), check.Unknown, "request 6 was due before the one"},
		{"ok with an error", whole, "", seventh(func(q *evidence.Request) { q.Status = 500 }), check.Unknown, "is ok with status 500"},
		{"refused with success", whole, "", seventh(func(q *evidence.Request) { q.Outcome = evidence.Refused }), check.Unknown, "is refused with status 200"},
		{"rejected with another status", whole, "", seventh(func(q *evidence.Request) { q.Outcome, q.Want = evidence.Rejected, 401 }), check.Unknown, "is rejected with status 200"},
		{"ok and unwanted", whole, "", seventh(func(q *evidence.Request) { q.Want = 401 }), check.Unknown, "is ok, yet was to get status 401"},
		{"ok with a reason", whole, "", seventh(func(q *evidence.Request) { q.Reason = "timeout" }), check.Unknown, "is ok, yet gives a reason"},
		{"ok with advice", whole, "", seventh(func(q *evidence.Request) { q.RetryAfter = time.Second }), check.Unknown, "is not refused, yet advised"},
		{"interrupted", whole, "", seventh(func(q *evidence.Request) { q.Outcome, q.Reason = evidence.Aborted, evidence.ReasonCancelled }),
			check.Unknown, "interrupted while request 6 was under way"},
		{"left as planned", whole, "", seventh(func(q *evidence.Request) { q.Outcome, q.Reason = evidence.Aborted, "left" }), check.Pass, ""},

		{"on time", kept, "", unchanged, check.Pass, "p99 1.0 ms"},
		{"late", kept, "", requests(func(q *evidence.Request) { q.Sent += 30 * time.Millisecond }), check.Unknown, "p99 31.0 ms"},
		{"a thousand and one at once, one after another", kept, "", herd(40 * time.Millisecond), check.Pass, "p99 40.0 ms"},
		{"a thousand and one at once, and late", kept, "", herd(41 * time.Millisecond), check.Unknown, "limit 40 ms"},
		{"early", kept, "", requests(func(q *evidence.Request) { q.Sent -= time.Second }), check.Unknown, "before they were due"},
		{"not sent", kept, "", func(h *history) { h.requests[0].Outcome = evidence.Unsent }, check.Unknown, "1 planned requests were not sent"},
		{"nothing", kept, "", nothing, check.Unknown, "no request was sent"},
	}
}

// clockCases are about clocks that agree, and about what rests on it.
func clockCases() []verdictCase {
	const ms, store, stepped = time.Millisecond, "store-1", 12 * time.Second
	agree, exit, deaths := check.ClocksAgree(), check.CleanExit(victim), check.NoUnplannedDeath()
	early := func(h *history) { h.exits[0].At = h.injections[0].Ordered - 100*ms }
	closely := func(bound time.Duration) func(*history) {
		return func(h *history) {
			for i := range h.clocks {
				h.clocks[i].Error = bound
			}
		}
	}
	return []verdictCase{
		{"clocks agree", agree, "", unchanged, check.Pass, "the clocks of [harness store-1] agree: the largest offset is 0.0 ms"},
		{"slewed", agree, "", off(evidence.ClockHarness, stepped, 9*ms), check.Pass, "the largest offset is 9.0 ms"},
		{"stepped forward", agree, "", off(evidence.ClockHarness, stepped, 200*ms), check.Unknown,
			"two clocks disagree: at 12.0 s the wall clock of harness was 200.0 ms ahead of the clock of the run, give or take 1.0 ms"},
		{"stepped back", agree, "", off(evidence.ClockHarness, stepped, -time.Second), check.Unknown, "1000.0 ms behind"},
		{"stepped and set right again", agree, "", both(off(evidence.ClockHarness, stepped, 200*ms), off(evidence.ClockHarness, stepped+ms, 0)), check.Unknown, "200.0 ms ahead"},
		{"a node's clock is off", agree, "", off(store, 0, 60*ms), check.Unknown, "at 0.0 s the wall clock of store-1 was 60.0 ms ahead"},
		{"a node's clock is off the other way", agree, "", off(store, 0, -60*ms), check.Unknown, "60.0 ms behind"},
		{"off by less than the bound tells", agree, "", off(store, stepped, 11*ms), check.Pass, ""},
		{"off by more than that", agree, "", off(store, stepped, 12*ms), check.Unknown, "12.0 ms ahead"},
		{"no close answer", agree, "", closely(80 * ms), check.Unknown, "the offset of the clock of harness is known to within 80 ms only"},
		{"nobody compared", agree, "", clocksUnknown, check.Unknown, "nobody compared the clocks"},
		{"only a node's", agree, "", func(h *history) { h.clocks = h.clocks[1:2] }, check.Unknown, "nobody compared the clocks"},

		{"death before its order, by a clock that stepped", deaths, evidence.FaultKill, both(early, off(evidence.ClockHarness, stepped, -200*ms)), check.Unknown, "two clocks disagree"},
		{"death before its order, by clocks that agree", deaths, evidence.FaultKill, early, check.Fail, "no fault was meant to end it"},
		{"deaths, clocks unknown", deaths, evidence.FaultKill, clocksUnknown, check.Unknown, "nobody compared the clocks"},
		{"late exit by a node's clock that is off", exit, evidence.FaultTerm, both(func(h *history) { h.exits[0].At += 11 * time.Second }, off(store, 0, 10*time.Second)),
			check.Unknown, "two clocks disagree"},
		{"drops, clocks or not", check.NothingDropped(), "", both(requests(failed), off(store, 0, time.Second)), check.Fail, "dropped"},
	}
}
