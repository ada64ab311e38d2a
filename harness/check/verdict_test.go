package check_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// verdictCase alters a scripted history and says what a check must make of it.
type verdictCase struct {
	name   string
	check  check.Check
	fault  string
	alter  func(h *history)
	want   check.Status
	reason string // part of the reason
}

func calls(alter func(*evidence.Call)) func(*history) {
	return func(h *history) {
		for i := range h.Calls {
			alter(&h.Calls[i])
		}
	}
}

func samples(node string, from time.Duration, alter func(*evidence.Sample)) func(*history) {
	return func(h *history) {
		for i := range h.Samples {
			if s := &h.Samples[i]; s.Node == node && s.At >= from && s.Error == "" {
				alter(s)
			}
		}
	}
}

func drop(param string) func(*history) { return func(h *history) { delete(h.plan.Params, param) } }

// setUpFailed leaves what there is when the load never began.
func setUpFailed(h *history) {
	h.Calls, h.Upstream, h.Hops, h.Rows, h.Windows = nil, nil, nil, nil, nil
}

func lastSeen(h *history) time.Duration { return h.Samples[len(h.Samples)-1].At }

func verdictCases() []verdictCase {
	const term, kill, freeze = evidence.FaultTerm, evidence.FaultKill, evidence.FaultFreeze
	unchanged := func(*history) {}
	nothing := func(h *history) { h.Records = evidence.Records{} }
	return []verdictCase{
		{"all answered", check.NothingDropped(), "", unchanged, check.Pass, "none of 7"},
		{"one failed", check.NothingDropped(), "", func(h *history) { c := &h.Calls[2]; c.Outcome, c.Reason, c.Status = evidence.Failed, "status", 502 }, check.Fail, "1 failed (status 502)"},
		{"one lost", check.NothingDropped(), "", func(h *history) { c := &h.Calls[2]; c.Outcome, c.Reason, c.Status = evidence.Ambiguous, "eof", 0 }, check.Fail, "1 ambiguous (eof)"},
		{"refused without leave", check.NothingDropped(), "", func(h *history) { c := &h.Calls[2]; c.Outcome, c.Status = evidence.Refused, 503 }, check.Fail, "1 refused (503)"},
		{"aborted by the plan", check.NothingDropped(), "", func(h *history) { h.Calls[2].Outcome = evidence.Aborted }, check.Pass, ""},
		{"unsent", check.NothingDropped(), "", func(h *history) { h.Calls[2].Outcome = evidence.Unsent }, check.Pass, ""},
		{"one not recorded", check.NothingDropped(), "", func(h *history) { h.Calls = h.Calls[:6] }, check.Unknown, "7 requests were planned and 6 are recorded"},
		{"one recorded twice", check.NothingDropped(), "", func(h *history) { h.Calls[3] = h.Calls[2] }, check.Unknown, "number 2 follows 3 others"},
		{"failed and one missing", check.NothingDropped(), "", func(h *history) { h.Calls = h.Calls[1:]; h.Calls[0].Outcome = evidence.Failed }, check.Fail, "1 of 7"},
		{"nothing sent", check.NothingDropped(), "", calls(func(c *evidence.Call) { c.Outcome = evidence.Unsent }), check.Unknown, "no request was answered at all"},
		{"nothing planned", check.NothingDropped(), "", func(h *history) { h.plan.Load = nil }, check.Unknown, "no requests were planned"},

		{"as many as expected", check.ExactCalls(3), "", unchanged, check.Pass, ""},
		{"more", check.ExactCalls(2), "", unchanged, check.Fail, "3 calls reached the upstream, not 2"},
		{"fewer", check.ExactCalls(4), "", unchanged, check.Fail, "not 4"},
		{"no ledger", check.ExactCalls(3), "", func(h *history) { h.Upstream = nil }, check.Unknown, "no ledger"},
		{"no load", check.ExactCalls(3), "", func(h *history) { h.Windows = nil }, check.Unknown, "start of the load"},

		{"right", check.RightAnswer(), "", unchanged, check.Pass, "all 7"},
		{"another tenant's", check.RightAnswer(), "", func(h *history) { h.Calls[6].Tenant = "acme" }, check.Fail, "1 belong to another tenant"},
		{"made up", check.RightAnswer(), "", func(h *history) { h.Calls[6].Answer.CallID = "?" }, check.Fail, "name a call that the upstream never had"},
		{"anonymous", check.RightAnswer(), "", func(h *history) { h.Calls[6].Answer.CallID = "" }, check.Fail, "name no call"},
		{"too old", check.RightAnswer(), "", func(h *history) { h.plan.Params[evidence.ParamMaxAge] = time.Second }, check.Fail, "are too old"},
		{"before its time", check.RightAnswer(), "", func(h *history) { h.Calls[0].End = h.Calls[0].Sent }, check.Fail, "came before their call ended"},
		{"of a failed call", check.RightAnswer(), "", func(h *history) {
			h.Upstream[0].Outcome, h.Upstream[0].Billed = evidence.UpstreamError, false
			h.Calls[6].Answer.CallID = "llm-1"
		}, check.Fail, "another tenant"},
		{"nobody answered", check.RightAnswer(), "", calls(func(c *evidence.Call) { c.Outcome = evidence.Aborted }), check.Unknown, "no request was answered"},
		{"ledger with a hole", check.RightAnswer(), "", func(h *history) { h.Upstream[2].N = 2 }, check.Unknown, "has a hole"},
		{"no largest age", check.RightAnswer(), "", drop(evidence.ParamMaxAge), check.Unknown, "largest age"},

		{"straight through", check.NoHiddenRetries(), "", unchanged, check.Pass, "all 7"},
		{"two of one id", check.NoHiddenRetries(), "", func(h *history) { h.Calls[1].ID = h.Calls[0].ID }, check.Unknown, "two requests have the id"},
		{"repeated for a kill", check.NoHiddenRetries(), kill, unchanged, check.Pass, "1 others were excused"},
		{"repeated for the kill of a dependency", check.NoHiddenRetries(), kill, func(h *history) { h.isDependency(victim) }, check.Fail, "redispatched"},
		{"repeated for a freeze", check.NoHiddenRetries(), freeze, func(h *history) { h.Hops[9].Redispatched = true }, check.Pass, "1 others were excused"},
		{"repeated for the freeze of a dependency", check.NoHiddenRetries(), freeze, func(h *history) { h.Hops[9].Redispatched = true; h.isDependency(victim) }, check.Fail, "redispatched"},
		{"repeated for a SIGTERM", check.NoHiddenRetries(), term, func(h *history) { h.Hops[9].Redispatched = true }, check.Fail, "redispatched"},
		{"repeated long before a kill", check.NoHiddenRetries(), kill, func(h *history) { h.Hops[2].Retries = 1 }, check.Fail, "1 retried"},
		{"repeated, kill not certified", check.NoHiddenRetries(), kill, func(h *history) { h.Exits = nil }, check.Fail, "redispatched"},
		{"cut short", check.NoHiddenRetries(), "", func(h *history) { h.Hops[2].Termination = "SD" }, check.Fail, "ended as SD"},
		{"client left as planned", check.NoHiddenRetries(), "", func(h *history) { h.Hops[2].Termination = "CD"; h.Calls[0].Outcome = evidence.Aborted }, check.Pass, ""},
		{"client left unplanned", check.NoHiddenRetries(), "", func(h *history) { h.Hops[2].Termination = "CD" }, check.Fail, "ended as CD"},
		{"two connections", check.NoHiddenRetries(), kill, func(h *history) { h.Calls[8].Conns = 2 }, check.Fail, "more than one connection"},
		{"came twice", check.NoHiddenRetries(), "", func(h *history) { h.Hops = append(h.Hops, h.Hops[4]) }, check.Fail, "came by more than once"},
		{"not in the log", check.NoHiddenRetries(), "", func(h *history) { h.Hops = h.Hops[:7] }, check.Unknown, "2 requests that were sent are missing"},
		{"nothing sent", check.NoHiddenRetries(), "", nothing, check.Unknown, "no request was sent"},

		{"back at zero", check.GaugesReturnToZero(gauge), term, unchanged, check.Pass, "1 gauges"},
		{"negative in a boot that ended", check.GaugesReturnToZero(gauge), term, func(h *history) {
			samples(victim, 0, func(s *evidence.Sample) {
				if s.Boot == boot1 {
					s.Values[gauge] = -1
				}
			})(h)
		}, check.Fail, "was -1 on gateway-2"},
		{"never zero", check.GaugesReturnToZero(gauge), "", func(h *history) {
			h.sampleOn(8 * time.Second)
			samples("gateway-1", 0, func(s *evidence.Sample) { s.Values[gauge]++ })(h)
		}, check.Fail, "is 1 on gateway-1"},
		{"zero, then not", check.GaugesReturnToZero(gauge), "", func(h *history) {
			h.sampleOn(8 * time.Second)
			samples("gateway-1", lastSeen(h)-time.Second, func(s *evidence.Sample) { s.Values[gauge] = 2 })(h)
		}, check.Fail, "is 2 on gateway-1"},
		{"zero within 5 s", check.GaugesReturnToZero(gauge), "", func(h *history) {
			h.sampleOn(8 * time.Second)
			samples("gateway-1", 0, func(s *evidence.Sample) {
				if s.At < lastSeen(h)-5*time.Second {
					s.Values[gauge] = 2
				}
			})(h)
		}, check.Pass, ""},
		{"not yet zero", check.GaugesReturnToZero(gauge), "", samples("gateway-1", 0, func(s *evidence.Sample) { s.Values[gauge]++ }), check.Unknown, "still 1 on gateway-1"},
		{"not scraped at rest", check.GaugesReturnToZero(gauge), "", samples("gateway-3", loadFrom+3*time.Second, func(s *evidence.Sample) { s.Error = "timeout" }), check.Unknown, "gateway-3 could not be scraped"},
		{"never came back", check.GaugesReturnToZero(gauge), term, func(h *history) { h.Exits[0].At = lastSeen(h) }, check.Unknown, "gateway-2 could not be scraped"},
		{"never rose", check.GaugesReturnToZero(gauge), "", func(h *history) {
			for i := range h.Samples {
				h.Samples[i].Values[gauge+"_high_water"] = 0
			}
		}, check.Unknown, "never above zero"},
		{"busy when the set-up failed", check.GaugesReturnToZero(gauge), "", both(setUpFailed, samples("gateway-1", 0, func(s *evidence.Sample) { s.Values[gauge]++ })), check.Unknown, "the start of the load"},
		{"negative when the set-up failed", check.GaugesReturnToZero(gauge), "", both(setUpFailed, samples("gateway-1", 0, func(s *evidence.Sample) { s.Values[gauge] = -1 })), check.Fail, "was -1 on gateway-1"},
		{"no such gauge", check.GaugesReturnToZero("other"), "", unchanged, check.Unknown, "does not export other"},
		{"leak", check.GaugesReturnToZero(gauge), "", func(h *history) {
			h.sampleOn(8 * time.Second)
			samples("gateway-1", loadFrom+1, func(s *evidence.Sample) { s.Values["go_goroutines"] += 11 })(h)
		}, check.Fail, "go_goroutines of gateway-1 rose from 40"},
		{"leak or not yet closed", check.GaugesReturnToZero(gauge), "", samples("gateway-1", loadFrom+1, func(s *evidence.Sample) { s.Values["go_goroutines"] += 11 }), check.Unknown, "go_goroutines of gateway-1 rose from 40"},
		{"no leak", check.GaugesReturnToZero(gauge), "", samples("gateway-1", loadFrom+1, func(s *evidence.Sample) { s.Values["go_goroutines"] += 9 }), check.Pass, ""},
		{"no level", check.GaugesReturnToZero(gauge), "", func(h *history) {
			h.Samples = slices.DeleteFunc(h.Samples, func(s evidence.Sample) bool { return s.At <= loadFrom })
		}, check.Unknown, "between warm-up and load"},

		{"clean", check.CleanExit(victim), term, unchanged, check.Pass, "900 ms after SIGTERM"},
		{"killed in the end", check.CleanExit(victim), term, func(h *history) { h.Exits[0].Code = 137 }, check.Fail, "did not end at SIGTERM"},
		{"with an error", check.CleanExit(victim), term, func(h *history) { h.Exits[0].Code = 2 }, check.Fail, "code 2"},
		{"late", check.CleanExit(victim), term, func(h *history) { h.Exits[0].At += 10 * time.Second }, check.Fail, "took 10900 ms"},
		{"never", check.CleanExit(victim), term, func(h *history) { h.Exits, h.Injections[0].Healing = nil, 0 }, check.Fail, "never ended"},
		{"unseen", check.CleanExit(victim), term, func(h *history) { h.Exits = nil }, check.Unknown, "nobody recorded"},
		{"another node", check.CleanExit("gateway-1"), term, unchanged, check.Unknown, "never sent SIGTERM"},
		{"killed", check.CleanExit(victim), kill, unchanged, check.Unknown, "never sent SIGTERM"},
		{"no grace", check.CleanExit(victim), term, drop(evidence.ParamGrace), check.Unknown, "grace"},
		{"signal failed", check.CleanExit(victim), term, func(h *history) { h.Injections[0].Error = "no engine" }, check.Unknown, "no engine"},

		{"books agree", check.Accounting(counters()), "", unchanged, check.Pass, "9 rows"},
		{"answer without a row", check.Accounting(counters()), "", func(h *history) { h.Rows = h.Rows[:8] }, check.Fail, "answer without a row"},
		{"lost answer with a row", check.Accounting(counters()), "", func(h *history) { h.Calls[3].Outcome = evidence.Ambiguous }, check.Pass, ""},
		{"lost answer without a row", check.Accounting(counters()), "", func(h *history) {
			h.Calls[6].Outcome, h.Calls[6].Status, h.hopOf(h.Calls[6].ID).Termination = evidence.Ambiguous, 0, "SD"
			h.Rows = h.Rows[:8]
			h.sampleOn(0)
		}, check.Pass, ""},
		{"call not booked", check.Accounting(counters()), "", func(h *history) { h.Rows[2].Kind, h.Rows[2].Cost = evidence.RowHit, 0 }, check.Fail, "billed call without a row"},
		{"call of a killed caller not booked", check.Accounting(counters()), kill, func(h *history) { h.orphan() }, check.Pass, ""},
		{"call of a frozen caller not booked", check.Accounting(counters()), freeze, func(h *history) { h.thawed(victim, 200*time.Millisecond) }, check.Pass, "11 rows"},
		{"call not booked, ended before the freeze", check.Accounting(counters()), freeze, func(h *history) { h.thawed(victim, -200*time.Millisecond) }, check.Fail, "billed call without a row"},
		{"call not booked, ended after the thaw", check.Accounting(counters()), freeze, func(h *history) { h.thawed(victim, 4*time.Second) }, check.Fail, "billed call without a row"},
		{"call not booked, another frozen", check.Accounting(counters()), freeze, func(h *history) { h.thawed("gateway-1", 200*time.Millisecond) }, check.Fail, "billed call without a row"},
		{"call not booked, freeze not certified", check.Accounting(counters()), freeze, func(h *history) { h.thawed(victim, 200*time.Millisecond); h.Observations = nil }, check.Fail, "billed call without a row"},
		{"call not booked, frozen for less than its timeout", check.Accounting(counters()), freeze, func(h *history) {
			h.thawed(victim, 200*time.Millisecond)
			h.plan.Params[evidence.ParamLLMTimeout] = 4 * time.Second
		}, check.Fail, "billed call without a row"},
		{"call of a frozen caller not booked, timeout unknown", check.Accounting(counters()), freeze, func(h *history) {
			h.thawed(victim, 200*time.Millisecond)
			delete(h.plan.Params, evidence.ParamLLMTimeout)
		}, check.Unknown, "timeout of an upstream call"},
		{"rows of two calls, sent on", check.Accounting(counters()), kill, func(h *history) { h.bookLost() }, check.Pass, "12 rows"},
		{"rows of two calls, sent on, answer lost", check.Accounting(counters()), kill, func(h *history) {
			h.bookLost()
			h.sentOn().Outcome = evidence.Ambiguous
		}, check.Pass, "12 rows"},
		{"rows of two calls, not sent on", check.Accounting(counters()), kill, func(h *history) {
			h.bookLost()
			hop := h.hopOf(h.sentOn().ID)
			hop.Retries, hop.Redispatched = 0, false
		}, check.Fail, "more than one row"},
		{"rows of two calls, sent on elsewhere", check.Accounting(counters()), kill, func(h *history) { h.bookLost(); h.hopOf(h.sentOn().ID).Server = "gateway-3" }, check.Fail, "more than one row"},
		{"rows of two calls, neither of the target", check.Accounting(counters()), kill, func(h *history) { h.bookLost().Replica = "gateway-3" }, check.Fail, "more than one row"},
		{"rows of two calls, answer from the lost one", check.Accounting(counters()), kill, func(h *history) { h.sentOn().Answer.CallID = h.bookLost().CallID }, check.Fail, "more than one row"},
		{"rows of two calls, kill not certified", check.Accounting(counters()), kill, func(h *history) { h.bookLost(); h.Exits = nil }, check.Fail, "more than one row"},
		{"rows of two calls, over before the kill", check.Accounting(counters()), kill, func(h *history) { h.bookLost(); h.sentOn().End = loadFrom }, check.Fail, "more than one row"},
		{"a third row", check.Accounting(counters()), kill, func(h *history) { h.bookLost(); h.Rows = append(h.Rows, h.Rows[len(h.Rows)-1]) }, check.Fail, "more than one row"},
		{"rows of two calls, not in the log", check.Accounting(counters()), kill, func(h *history) { h.bookLost(); h.unlog(h.sentOn().ID) }, check.Unknown, "does not say whether it was repeated"},
		{"hit that costs", check.Accounting(counters()), "", func(h *history) { h.Rows[8].Cost = 1 }, check.Fail, "hit that costs something"},
		{"wrong price", check.Accounting(counters()), "", func(h *history) { h.Rows[2].Cost-- }, check.Fail, "cost is not what was billed"},
		{"row of nobody", check.Accounting(counters()), "", func(h *history) { h.Rows = append(h.Rows, h.Rows[8]); h.Rows[9].RequestID = "?" }, check.Fail, "never sent"},
		{"row twice", check.Accounting(counters()), "", func(h *history) { h.Rows = append(h.Rows, h.Rows[8]) }, check.Fail, "more than one row"},
		{"row of the warm-up twice", check.Accounting(counters()), "", func(h *history) { h.Rows = append(h.Rows, h.Rows[0]) }, check.Fail, "more than one row"},
		{"row of an unsent request", check.Accounting(counters()), "", func(h *history) { h.Calls[6].Outcome = evidence.Unsent }, check.Fail, "never sent"},
		{"no rows", check.Accounting(counters()), "", func(h *history) { h.Rows = nil }, check.Unknown, "no ledger of the service"},
		{"no upstream", check.Accounting(counters()), "", func(h *history) { h.Upstream = nil }, check.Unknown, "no ledger of the upstream"},
		{"no requests", check.Accounting(counters()), "", func(h *history) { h.Calls = nil }, check.Unknown, "no record of requests"},

		{"newest", check.NewestAnswer(), "", func(h *history) { h.replaced(0) }, check.Pass, "1 requests for keys"},
		{"overwritten by an older one", check.NewestAnswer(), "", func(h *history) { h.replaced(0); h.Calls[6].Answer.CallID = h.Upstream[1].ID }, check.Fail, "1 requests got an older answer"},
		{"older, but asked before", check.NewestAnswer(), "", func(h *history) { h.replaced(3 * time.Second); h.Calls[6].Answer.CallID = h.Upstream[1].ID }, check.Unknown, "no key was asked again"},
		{"never called twice", check.NewestAnswer(), "", unchanged, check.Unknown, "no key was asked again"},
		{"no ledger", check.NewestAnswer(), "", func(h *history) { h.Upstream = nil }, check.Unknown, "no ledger"},

		{"serves", check.ServesAgain(victim), term, unchanged, check.Pass, "answered 1"},
		{"serves no more", check.ServesAgain(victim), term, func(h *history) { h.Hops[len(h.Hops)-1].Server = "gateway-1" }, check.Fail, "none of 1"},
		{"answers with errors", check.ServesAgain(victim), term, func(h *history) { h.Hops[len(h.Hops)-1].Status = 503 }, check.Fail, "none of 1"},
		{"nobody asked", check.ServesAgain(victim), term, func(h *history) { h.Hops = h.Hops[:len(h.Hops)-1] }, check.Unknown, "no request came"},
		{"no fault", check.ServesAgain(victim), "", unchanged, check.Unknown, "no fault hit"},
		{"not healed", check.ServesAgain(victim), term, func(h *history) { h.Injections[0].Undo = "stuck" }, check.Unknown, "stuck"},

		{"in flight", check.InFlightAt("term "+victim, 0), term, unchanged, check.Pass, "1 requests"},
		{"idle", check.InFlightAt("term "+victim, 0), term, func(h *history) { h.Injections[0].Ordered -= time.Second }, check.Unknown, "nothing was in flight"},
		{"one call", check.InFlightAt("term "+victim, 1), term, unchanged, check.Pass, "1 upstream calls"},
		{"too few calls", check.InFlightAt("term "+victim, 2), term, unchanged, check.Unknown, "1 upstream calls were in flight on gateway-2 at \"term gateway-2\", and 2 are wanted"},
		{"no fault", check.InFlightAt("term "+victim, 0), "", unchanged, check.Unknown, "never ordered"},
		{"no fault", check.InFlightAt("kill "+victim, 0), kill, func(h *history) { h.Injections = nil }, check.Unknown, "never ordered"},

		{"hits and misses", check.SawHitsAndMisses(), "", unchanged, check.Pass, "4 hits and 3 misses"},
		{"calls beyond the lease", check.SawCallsBeyondLease(), "", func(h *history) { h.Upstream[len(h.Upstream)-1].Ended += time.Second }, check.Pass, "1 calls lasted longer than the lease of 1000 ms"},
		{"one beyond the lease that failed", check.SawCallsBeyondLease(), "", func(h *history) {
			u := &h.Upstream[len(h.Upstream)-1]
			u.Ended, u.Outcome = u.Ended+time.Second, evidence.UpstreamError
		}, check.Unknown, "no call that was answered"},
		{"one beyond the lease before the load", check.SawCallsBeyondLease(), "", func(h *history) {
			u := &h.Upstream[len(h.Upstream)-1]
			u.Arrived, u.Ended = 0, time.Minute
		}, check.Unknown, "no call that was answered"},
		{"short calls", check.SawCallsBeyondLease(), "", unchanged, check.Unknown, "no call that was answered lasted longer"},
		{"no lease", check.SawCallsBeyondLease(), "", drop(evidence.ParamLease), check.Unknown, "lacks the lease"},
		{"misses only", check.SawHitsAndMisses(), "", func(h *history) { h.Calls = h.Calls[:3] }, check.Unknown, "0 hits and 3 misses"},

		{"on time", check.LoadKeptSchedule(), "", unchanged, check.Pass, "p99 1.0 ms"},
		{"late", check.LoadKeptSchedule(), "", calls(func(c *evidence.Call) { c.Sent += 30 * time.Millisecond }), check.Unknown, "p99 31.0 ms"},
		{"early", check.LoadKeptSchedule(), "", calls(func(c *evidence.Call) { c.Sent -= time.Second }), check.Unknown, "before they were due"},
		{"not sent", check.LoadKeptSchedule(), "", func(h *history) { h.Calls[0].Outcome = evidence.Unsent }, check.Unknown, "1 planned requests were not sent"},
		{"nothing", check.LoadKeptSchedule(), "", nothing, check.Unknown, "no request was sent"},

		{"whole", check.EvidenceComplete(), term, unchanged, check.Pass, ""},
		{"a probe failed", check.EvidenceComplete(), "", func(h *history) {
			h.Observations = append(h.Observations, evidence.Observation{Source: evidence.SourceProbe, Node: "llm-ledger", What: evidence.ProbeFailed, Detail: "gone"})
		}, check.Unknown, "llm-ledger failed: gone"},
		{"same id twice", check.EvidenceComplete(), "", func(h *history) { h.Calls[1].ID = h.Calls[0].ID }, check.Unknown, "two requests have the id"},
		{"strange target", check.EvidenceComplete(), term, func(h *history) { h.Injections[0].Target = "gateway-7" }, check.Unknown, "gateway-7"},
		{"strange exit", check.EvidenceComplete(), term, func(h *history) { h.Exits[0].Node = "gateway-8" }, check.Unknown, "gateway-8"},
		{"unsent yet sent", check.EvidenceComplete(), "", func(h *history) { h.Calls[0].Outcome = evidence.Unsent }, check.Unknown, "is unsent, yet was sent"},
		{"interrupted", check.EvidenceComplete(), "", func(h *history) { h.Calls[6].Outcome, h.Calls[6].Reason = evidence.Aborted, evidence.ReasonCancelled }, check.Unknown, "interrupted while request 6 was under way"},
		{"left as planned", check.EvidenceComplete(), "", func(h *history) { h.Calls[6].Outcome, h.Calls[6].Reason = evidence.Aborted, "left" }, check.Pass, ""},

		{"nobody died", check.NoUnplannedDeath(), "", unchanged, check.Pass, ""},
		{"only whom it should", check.NoUnplannedDeath(), kill, unchanged, check.Pass, ""},
		{"the service died", check.NoUnplannedDeath(), "", func(h *history) { h.Exits = append(h.Exits, evidence.Exit{Node: "gateway-1", Code: 2}) }, check.Fail, "gateway-1 ended with code 2"},
		{"it died again", check.NoUnplannedDeath(), kill, func(h *history) { h.Exits = append(h.Exits, evidence.Exit{Node: victim, At: lastSeen(h), Code: 2}) }, check.Fail, "gateway-2 ended with code 2"},
		{"it died by itself when it was to be killed", check.NoUnplannedDeath(), kill, func(h *history) { h.Exits[0].Code = 2 }, check.Fail, "gateway-2 ended with code 2"},
		{"a dependency died", check.NoUnplannedDeath(), "", func(h *history) { h.Exits = append(h.Exits, evidence.Exit{Node: "llm-1", Code: 2}) }, check.Unknown, "llm-1 ended with code 2"},
		{"both died", check.NoUnplannedDeath(), "", func(h *history) {
			h.Exits = append(h.Exits, evidence.Exit{Node: "llm-1"}, evidence.Exit{Node: "gateway-1"})
		}, check.Fail, "gateway-1"},

		{"sampled", check.ProbesSampled(100 * time.Millisecond), term, unchanged, check.Pass, "3 nodes"},
		{"not looked at", check.ProbesSampled(100 * time.Millisecond), term, func(h *history) { h.blind("gateway-1") }, check.Unknown, "gateway-1 was not looked at for"},
		{"dead and not certified", check.ProbesSampled(100 * time.Millisecond), term, func(h *history) { h.Exits = nil; h.forget(victim) }, check.Unknown, "gateway-2 was not looked at for"},
		{"does not answer", check.ProbesSampled(100 * time.Millisecond), "", func(h *history) {
			h.sampleOn(8 * time.Second)
			samples("gateway-3", loadFrom+2*time.Second, func(s *evidence.Sample) { s.Error = "refused" })(h)
		}, check.Fail, "gateway-3 did not answer scrapes"},
		{"does not answer in a kill that is not certified", check.ProbesSampled(100 * time.Millisecond), kill, func(h *history) {
			h.Exits = nil
			h.Injections[0].Healing += 3 * time.Second
			samples(victim, h.Injections[0].Ordered, func(s *evidence.Sample) { s.Error = "refused" })(h)
		}, check.Unknown, "gateway-2 did not answer scrapes for"},
		{"does not answer, and could not be brought back", check.ProbesSampled(100 * time.Millisecond), kill, func(h *history) {
			h.sampleOn(8 * time.Second)
			undoFailed(h)
			samples(victim, h.Injections[0].Ordered, func(s *evidence.Sample) { s.Error = "refused" })(h)
		}, check.Unknown, "and a fault on it is not certified"},
		{"does not answer long after a kill", check.ProbesSampled(100 * time.Millisecond), kill, func(h *history) {
			h.sampleOn(8 * time.Second)
			samples(victim, h.Injections[0].Ordered, func(s *evidence.Sample) { s.Error = "refused" })(h)
		}, check.Fail, "gateway-2 did not answer scrapes for"},
		{"named", check.ProbesSampled(time.Second, "gateway-1"), "", unchanged, check.Pass, "1 nodes"},
		{"named, never sampled", check.ProbesSampled(time.Second, "llm-1"), "", unchanged, check.Unknown, "llm-1 was never looked at"},
		{"named, not there", check.ProbesSampled(time.Second, "gateway-9"), "", unchanged, check.Unknown, "not every node"},
		{"no load", check.ProbesSampled(time.Second), "", nothing, check.Unknown, "start of the load"},

		{"all up", check.HealthyBefore(), "", unchanged, check.Pass, "all 3"},
		{"one down", check.HealthyBefore(), "", func(h *history) {
			h.Observations = append(h.Observations, evidence.Observation{At: 9 * time.Second, Source: evidence.SourceHAProxy, Node: victim, What: evidence.SawDown})
		}, check.Unknown, "haproxy called gateway-2 down"},
		{"one unseen", check.HealthyBefore(), "", func(h *history) { h.Observations = h.Observations[1:] }, check.Unknown, "nobody observed gateway-1"},
		{"no nodes", check.HealthyBefore(), "", func(h *history) { h.Nodes = nil }, check.Unknown, "no node"},
		{"no load", check.HealthyBefore(), "", nothing, check.Unknown, "start of the load"},
	}
}

// scriptedCases are all that alter a scripted history.
func scriptedCases() []verdictCase {
	return slices.Concat(verdictCases(), accountingCases(), promiseCases(), healthyAfterCases(), leftHeldCases(), panicCases(), staysZeroCases(),
		buildCases())
}

func TestVerdicts(t *testing.T) {
	for _, c := range scriptedCases() {
		t.Run(c.check.Name+"/"+c.name, func(t *testing.T) {
			h := scripted(c.fault)
			c.alter(h)
			v := c.check.Judge(h.run())
			if v.Status != c.want || !strings.Contains(v.Reason, c.reason) || v.Reason == "" {
				t.Errorf("%s: %s; want %s: ...%s...", v.Status, v.Reason, c.want, c.reason)
			}
			if v.Check != c.check.Name {
				t.Errorf("verdict of %q", v.Check)
			}
		})
	}
}

// sampleOn goes on sampling an idle system.
func (h *history) sampleOn(d time.Duration) {
	until := h.Windows[2].To + d
	h.Windows[2].To = until
	h.Samples = nil
	for r := 1; r <= 3; r++ {
		h.sample(node(r), until)
	}
}

// orphan takes the row of a billed call away whose caller was killed before anybody had its answer.
func (h *history) orphan() {
	killed := h.Injections[0].Ordered
	c := h.Calls[0]
	u := evidence.Upstream{ID: "llm-orphan", RequestID: c.ID, Tenant: c.Tenant, Key: c.Key, N: 2, Caller: victim, Cost: 5,
		Arrived: killed - llmTakes, Ended: killed, Outcome: evidence.UpstreamOK, Billed: true}
	h.Upstream = append(h.Upstream, u)
}

// thawed adds a billed call without a row, whose response ended that much later than the freeze began.
func (h *history) thawed(caller string, after time.Duration) {
	froze := h.Injections[0].Ordered
	c := h.Calls[0]
	h.Upstream = append(h.Upstream, evidence.Upstream{ID: "llm-thawed", RequestID: c.ID, Tenant: c.Tenant, Key: c.Key, N: 2, Caller: caller, Cost: 5,
		Arrived: froze + after - llmTakes, Ended: froze + after, Outcome: evidence.UpstreamOK, Billed: true})
}

// sentOn is the request that the kill hit, which another replica answered.
func (h *history) sentOn() *evidence.Call {
	for i := range h.Calls {
		if hop := h.hopOf(h.Calls[i].ID); hop != nil && hop.Redispatched {
			return &h.Calls[i]
		}
	}
	return &h.Calls[slices.IndexFunc(h.Calls, func(c evidence.Call) bool { return c.Key == keyOf("acme", 200) })]
}

func (h *history) hopOf(id string) *evidence.Hop {
	for i := range h.Hops {
		if h.Hops[i].RequestID == id {
			return &h.Hops[i]
		}
	}
	return nil
}

// unlog takes a request out of the load balancer's log.
func (h *history) unlog(id string) {
	h.Hops = slices.DeleteFunc(h.Hops, func(hop evidence.Hop) bool { return hop.RequestID == id })
}

// bookLost lets the call that the kill cut short succeed, and adds the row that the victim wrote for it.
func (h *history) bookLost() *evidence.Row {
	i := slices.IndexFunc(h.Upstream, func(u evidence.Upstream) bool { return u.Outcome == evidence.UpstreamHungUp })
	u := &h.Upstream[i]
	u.Outcome, u.Billed = evidence.UpstreamOK, true
	h.Rows = append(h.Rows, evidence.Row{ID: "row-lost", RequestID: u.RequestID, Tenant: u.Tenant, Key: u.Key, Kind: evidence.RowCall,
		CallID: u.ID, Cost: u.Cost, At: u.Ended, Replica: victim, Boot: boot1})
	return &h.Rows[len(h.Rows)-1]
}

// replaced adds a second call for the key of the last request, whose answer the request before it was told that late, and
// gives it to the last request, too.
func (h *history) replaced(late time.Duration) {
	first := h.Upstream[1]
	u := first
	u.ID, u.N, u.Arrived, u.Ended = "llm-newer", 2, loadFrom, loadFrom+llmTakes
	h.Upstream = append(h.Upstream, u)
	for _, i := range []int{5, 6} {
		h.Calls[i].Key, h.Calls[i].Tenant, h.Calls[i].Answer = u.Key, u.Tenant, evidence.Answer{CallID: u.ID, Tenant: u.Tenant, Key: u.Key}
	}
	h.Calls[5].End += late
}

// isDependency makes a node one that the service depends on.
func (h *history) isDependency(node string) {
	for i := range h.Nodes {
		h.Nodes[i].Subject = h.Nodes[i].Subject && h.Nodes[i].Name != node
	}
}

// forget leaves nothing of what a failed scrape recorded.
func (h *history) forget(node string) {
	h.Samples = slices.DeleteFunc(h.Samples, func(s evidence.Sample) bool { return s.Node == node && s.Error != "" })
}
