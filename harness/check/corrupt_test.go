package check_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"pgregory.net/rapid"
)

// corruption spoils one record of a correct history, and names a check that must notice.
type corruption struct {
	name    string
	kind    string // fault that the history must have; empty for any
	spoil   func(pick func(n int) int, h *history)
	noticed string
}

func remove[T any](pick func(int) int, s *[]T) {
	i := pick(len(*s))
	*s = slices.Delete(*s, i, i+1)
}

func double[T any](pick func(int) int, s *[]T) { *s = append(*s, (*s)[pick(len(*s))]) }

func one[T any](pick func(int) int, s []T) *T { return &s[pick(len(s))] }

// such picks one of the records that satisfy the condition.
func such[T any](pick func(int) int, s []T, is func(T) bool) *T {
	var found []int
	for i, v := range s {
		if is(v) {
			found = append(found, i)
		}
	}
	return &s[found[pick(len(found))]]
}

func billed(u evidence.Upstream) bool { return u.Billed }

// quiet says that a hop lies outside the time in which a kill would excuse it.
func (h *history) quiet(hop evidence.Hop) bool {
	return h.trouble.kind == "" || hop.End < loadFrom+h.trouble.at || hop.At > loadFrom+h.trouble.heal+time.Second
}

func ofLoad(hop evidence.Hop) bool { return hop.At >= loadFrom-time.Second }

func isCall(w evidence.Row) bool { return w.Kind == evidence.RowCall }

func isHit(w evidence.Row) bool { return w.Kind == evidence.RowHit }

func corruptions() []corruption {
	type p = func(int) int
	return []corruption{
		{"call deleted", "", func(p p, h *history) { remove(p, &h.Calls) }, "NothingDropped"},
		{"call doubled", "", func(p p, h *history) { double(p, &h.Calls) }, "NothingDropped"},
		{"call deleted, for the rows", "", func(p p, h *history) { remove(p, &h.Calls) }, "Accounting"},
		{"call renumbered", "", func(p p, h *history) { one(p, h.Calls).Seq += 1000 }, "EvidenceComplete"},
		{"call's id", "", func(p p, h *history) { one(p, h.Calls).ID = "other" }, "NoHiddenRetries"},
		{"call's id, for the rows", "", func(p p, h *history) { one(p, h.Calls).ID = "other" }, "Accounting"},
		{"call's tenant", "", func(p p, h *history) { one(p, h.Calls).Tenant = "other" }, "RightAnswer"},
		{"call's key", "", func(p p, h *history) { one(p, h.Calls).Key = "other" }, "RightAnswer"},
		{"call's end", "", func(p p, h *history) { one(p, h.Calls).End = time.Second }, "EvidenceComplete"},
		{"call's status", "", func(p p, h *history) { one(p, h.Calls).Status = 500 }, "EvidenceComplete"},
		{"call failed", "", func(p p, h *history) { one(p, h.Calls).Outcome = evidence.Failed }, "NothingDropped"},
		{"call ambiguous", "", func(p p, h *history) { one(p, h.Calls).Outcome = evidence.Ambiguous }, "NothingDropped"},
		{"call refused", "", func(p p, h *history) { one(p, h.Calls).Outcome = evidence.Refused }, "NothingDropped"},
		{"call unsent", "", func(p p, h *history) { one(p, h.Calls).Outcome = evidence.Unsent }, "LoadKeptSchedule"},
		{"call's outcome unknown", "", func(p p, h *history) { one(p, h.Calls).Outcome = "fine" }, "NothingDropped"},
		{"call sent on two connections", "", func(p p, h *history) { one(p, h.Calls).Conns = 2 }, "NoHiddenRetries"},
		{"answer's call", "", func(p p, h *history) { one(p, h.Calls).Answer.CallID = "llm-0" }, "RightAnswer"},
		{"answer's call, for the rows", "", func(p p, h *history) { one(p, h.Calls).Answer.CallID = "llm-0" }, "Accounting"},
		{"answer's tenant", "", func(p p, h *history) { one(p, h.Calls).Answer.Tenant = "other" }, "RightAnswer"},
		{"answer's key", "", func(p p, h *history) { one(p, h.Calls).Answer.Key = "other" }, "RightAnswer"},

		{"upstream call deleted", "", func(p p, h *history) { remove(p, &h.Upstream) }, "EvidenceComplete or Accounting or ExactCalls"},
		{"upstream call doubled", "", func(p p, h *history) { double(p, &h.Upstream) }, "OncePerKey"},
		{"upstream call made twice", "", func(p p, h *history) { h.secondCall(p) }, "OncePerKey"},
		{"upstream call made twice, counted", "", func(p p, h *history) { h.secondCall(p) }, "ExactCalls"},
		{"upstream call made twice, for the rows", "", func(p p, h *history) { h.secondCall(p) }, "Accounting"},
		{"upstream tenant", "", func(p p, h *history) { such(p, h.Upstream, h.answered).Tenant = "other" }, "RightAnswer"},
		{"upstream key", "", func(p p, h *history) { such(p, h.Upstream, h.answered).Key = "other" }, "RightAnswer"},
		{"upstream outcome", "", func(p p, h *history) { such(p, h.Upstream, billed).Outcome = evidence.UpstreamError }, "EvidenceComplete"},
		{"upstream failed after all", "", func(p p, h *history) {
			u := such(p, h.Upstream, h.answered)
			u.Outcome, u.Billed = evidence.UpstreamCut, false
		}, "RightAnswer"},
		{"upstream ended too late", "", func(p p, h *history) { such(p, h.Upstream, h.answered).Ended += time.Hour }, "RightAnswer"},
		{"upstream cost", "", func(p p, h *history) { such(p, h.Upstream, billed).Cost++ }, "Accounting"},
		{"upstream bill", "", func(p p, h *history) { such(p, h.Upstream, billed).Billed = false }, "EvidenceComplete"},

		{"call's end, for the log", "", func(p p, h *history) { one(p, h.Calls).End += 2 * time.Second }, "Accounting"},
		{"call's due", "", func(p p, h *history) { one(p, h.Calls[:len(h.Calls)-1]).Due += time.Hour }, "EvidenceComplete"},
		{"call's reason", "", func(p p, h *history) { one(p, h.Calls).Reason = "timeout" }, "EvidenceComplete"},
		{"call's advice", "", func(p p, h *history) { one(p, h.Calls).RetryAfter = time.Second }, "EvidenceComplete"},
		{"call doubled, for the rows", "", func(p p, h *history) { double(p, &h.Calls) }, "EvidenceComplete"},
		{"call's tenant, for its rows", "", func(p p, h *history) { one(p, h.Calls).Tenant = "other" }, "TenantIsolation"},
		{"answer's tenant, for isolation", "", func(p p, h *history) { one(p, h.Calls).Answer.Tenant = "other" }, "TenantIsolation"},
		{"upstream tenant, for isolation", "", func(p p, h *history) { such(p, h.Upstream, h.answered).Tenant = "other" }, "TenantIsolation"},
		{"row's tenant, for isolation", "", func(p p, h *history) { one(p, h.Rows).Tenant = "other" }, "TenantIsolation"},
		{"second answer", "", func(p p, h *history) {
			h.secondCall(p)
			u := h.Upstream[len(h.Upstream)-1]
			c := h.Calls[len(h.Calls)-1]
			c.Seq, c.ID, c.Key, c.Tenant, c.Answer = c.Seq+1, "second", u.Key, u.Tenant, evidence.Answer{CallID: u.ID, Key: u.Key, Tenant: u.Tenant}
			first := c
			first.Seq, first.ID = c.Seq+1, "first"
			first.Answer.CallID = h.flights[u.Key].call.ID
			h.Calls = append(h.Calls, c, first)
		}, "SameKeySameAnswer"},

		{"upstream call deleted, for the rows", "", func(p p, h *history) {
			i := *such(p, indices(h.Upstream), func(i int) bool { return billed(h.Upstream[i]) })
			h.Upstream = slices.Delete(h.Upstream, i, i+1)
		}, "Accounting"},
		{"upstream call doubled, for the rows", "", func(p p, h *history) { double(p, &h.Upstream) }, "Accounting"},
		{"upstream tenant, for the requests", "", func(p p, h *history) { such(p, h.Upstream, h.answered).Tenant = "other" }, "Accounting"},
		{"upstream key, for the requests", "", func(p p, h *history) { such(p, h.Upstream, h.answered).Key = "other" }, "Accounting"},
		{"upstream request", "", func(p p, h *history) { one(p, h.Upstream).RequestID = "other" }, "Accounting"},
		{"upstream caller", "", func(p p, h *history) { such(p, h.Upstream, billed).Caller = "other" }, "Accounting"},
		{"upstream arrived too early", "", func(p p, h *history) { such(p, h.Upstream, h.answered).Arrived -= time.Minute }, "Accounting"},
		{"upstream number", "", func(p p, h *history) { one(p, h.Upstream).N++ }, "Accounting"},

		{"hop deleted, for the requests", "", func(p p, h *history) { remove(p, &h.Hops) }, "Accounting"},
		{"hop doubled, for the requests", "", func(p p, h *history) { double(p, &h.Hops) }, "Accounting"},
		{"hop's status", "", func(p p, h *history) { one(p, h.Hops).Status = 500 }, "Accounting"},
		{"hop's server", "", func(p p, h *history) { h.someHop(p).Server = "gateway-9" }, "Accounting"},
		{"hop's arrival", "", func(p p, h *history) { such(p, h.Hops, ofLoad).At -= time.Minute }, "Accounting"},
		{"hop's end", "", func(p p, h *history) { such(p, h.Hops, ofLoad).End += time.Minute }, "Accounting"},
		{"hop of the set-up that is none", "", func(p p, h *history) { such(p, h.Hops, ofLoad).RequestID = "other" }, "Accounting"},

		{"row's tenant in the warm-up", "", func(p p, h *history) { one(p, h.Rows[:1]).Tenant = "other" }, "Accounting"},
		{"row's key in the warm-up", "", func(p p, h *history) { one(p, h.Rows[:1]).Key = "other" }, "Accounting"},
		{"row's time", "", func(p p, h *history) { h.quietRow(p).At += time.Minute }, "Accounting"},
		{"row's replica", "", func(p p, h *history) { h.quietRow(p).Replica = "gateway-9" }, "Accounting"},
		{"row's boot", "", func(p p, h *history) { one(p, h.Rows).Boot = "other" }, "Accounting"},

		{"counter of answers", "", func(p p, h *history) { h.atEnd(p).Values[counters().Answers+`{code="500",route="/ask"}`] = 60 }, "Accounting"},
		{"counter of hits", "", func(p p, h *history) { h.atEnd(p).Values[counters().Hits] += 60 }, "Accounting"},
		{"counter of calls", "", func(p p, h *history) { h.atEnd(p).Values[counters().Calls]++ }, "Accounting"},
		{"counter of cost", "", func(p p, h *history) { h.atEnd(p).Values[counters().Cost]++ }, "Accounting"},
		{"scrape of another boot", "", func(p p, h *history) { such(p, h.Samples, scraped).Boot = "other" }, "Accounting"},

		{"hop deleted", "", func(p p, h *history) {
			i := *such(p, indices(h.Hops), func(i int) bool { return ofLoad(h.Hops[i]) })
			h.Hops = slices.Delete(h.Hops, i, i+1)
		}, "NoHiddenRetries"},
		{"hop doubled", "", func(p p, h *history) { h.Hops = append(h.Hops, *such(p, h.Hops, ofLoad)) }, "NoHiddenRetries"},
		{"hop retried", "", func(p p, h *history) { h.someHop(p).Retries = 1 }, "NoHiddenRetries"},
		{"hop redispatched", "", func(p p, h *history) { h.someHop(p).Redispatched = true }, "NoHiddenRetries"},
		{"hop cut", "", func(p p, h *history) { h.someHop(p).Termination = "SH" }, "NoHiddenRetries"},
		{"hop of another request", "", func(p p, h *history) { such(p, h.Hops, ofLoad).RequestID = "other" }, "NoHiddenRetries"},

		{"row deleted", "", func(p p, h *history) {
			i := *such(p, indices(h.Rows), func(i int) bool { return isCall(h.Rows[i]) || h.Rows[i].At > loadFrom })
			h.Rows = slices.Delete(h.Rows, i, i+1)
		}, "Accounting"},
		{"row doubled", "", func(p p, h *history) { double(p, &h.Rows) }, "Accounting"},
		{"row of another request", "", func(p p, h *history) { one(p, h.Rows).RequestID = "other" }, "Accounting"},
		{"row's tenant", "", func(p p, h *history) { h.someRow(p).Tenant = "other" }, "Accounting"},
		{"row's key", "", func(p p, h *history) { h.someRow(p).Key = "other" }, "Accounting"},
		{"row's call", "", func(p p, h *history) { one(p, h.Rows).CallID = "llm-0" }, "Accounting"},
		{"row's kind", "", func(p p, h *history) { one(p, h.Rows).Kind = "other" }, "Accounting"},
		{"row's cost", "", func(p p, h *history) { one(p, h.Rows).Cost++ }, "Accounting"},
		{"hit booked like a call", "", func(p p, h *history) { w := such(p, h.Rows, isHit); w.Kind, w.Cost = evidence.RowCall, 47_000 }, "Accounting"},

		{"gauge below zero", "", func(p p, h *history) { such(p, h.Samples, scraped).Values[gauge] = -1 }, "GaugesReturnToZero"},
		{"gauge above zero at rest", "", func(p p, h *history) { h.atEnd(p).Values[gauge] = 1 }, "GaugesReturnToZero"},
		{"gauge not exported", "", func(p p, h *history) { delete(h.atEnd(p).Values, gauge) }, "GaugesReturnToZero"},
		{"scrape failed at rest", "", func(p p, h *history) { s := h.atEnd(p); s.Error, s.Values = "timeout", nil }, "GaugesReturnToZero"},
		{"goroutines leaked", "", func(p p, h *history) { h.atEnd(p).Values["go_goroutines"] += 60 }, "GaugesReturnToZero"},
		{"descriptors leaked", "", func(p p, h *history) { h.atEnd(p).Values["process_open_fds"] += 11 }, "GaugesReturnToZero"},
		{"sampled by nobody", "", func(p p, h *history) { h.blind(node(1 + p(3))) }, "ProbesSampled"},
		{"sample of a stranger", "", func(p p, h *history) { one(p, h.Samples).Node = "gateway-9" }, "EvidenceComplete"},

		{"exit deleted", evidence.FaultTerm, func(p p, h *history) { remove(p, &h.Exits) }, "CleanExit"},
		{"exit doubled", evidence.FaultTerm, func(p p, h *history) { double(p, &h.Exits) }, "NoUnplannedDeath"},
		{"exit with an error", evidence.FaultTerm, func(p p, h *history) { one(p, h.Exits).Code = 2 }, "CleanExit"},
		{"exit by force", evidence.FaultTerm, func(p p, h *history) { one(p, h.Exits).Code = 137 }, "CleanExit"},
		{"exit too late", evidence.FaultTerm, func(p p, h *history) { one(p, h.Exits).At += 11 * time.Second }, "CleanExit"},
		{"exit of another node", evidence.FaultTerm, func(p p, h *history) { one(p, h.Exits).Node = "gateway-1" }, "NoUnplannedDeath"},
		{"exit deleted", evidence.FaultKill, func(p p, h *history) { remove(p, &h.Exits) }, "certificate"},
		{"exit not by SIGKILL", evidence.FaultKill, func(p p, h *history) { one(p, h.Exits).Code = 1 }, "certificate"},
		{"injection deleted", evidence.FaultTerm, func(p p, h *history) { remove(p, &h.Injections) }, "NoUnplannedDeath"},
		{"injection of another target", evidence.FaultTerm, func(p p, h *history) { one(p, h.Injections).Target = "gateway-1" }, "CleanExit"},
		{"injection never healed", evidence.FaultTerm, func(p p, h *history) { one(p, h.Injections).Healing = 0 }, "ServesAgain"},
		{"injection failed", evidence.FaultTerm, func(p p, h *history) { one(p, h.Injections).Error = "no" }, "certificate"},
		{"heal failed", evidence.FaultKill, func(p p, h *history) { one(p, h.Injections).Undo = "no" }, "certificate"},
		{"observations deleted", evidence.FaultKill, func(p p, h *history) { h.Observations = nil }, "certificate"},
		{"observation deleted", "", func(p p, h *history) {
			h.Observations = slices.DeleteFunc(h.Observations, func(o evidence.Observation) bool { return o.Node == "gateway-1" })
		}, "HealthyBefore"},
		{"down before the load", "", func(p p, h *history) {
			such(p, h.Observations, func(o evidence.Observation) bool { return o.At < loadFrom }).What = evidence.SawDown
		}, "HealthyBefore"},

		{"load window deleted", "", func(p p, h *history) { h.Windows = slices.Delete(h.Windows, 1, 2) }, "EvidenceComplete"},
		{"collection never done", "", func(p p, h *history) { h.Windows = slices.Delete(h.Windows, 3, 4) }, "EvidenceComplete"},
		{"node deleted", "", func(p p, h *history) { h.Nodes = slices.Delete(h.Nodes, 1, 2) }, "EvidenceComplete"},
		{"plan asks for more", "", func(p p, h *history) { h.plan.Load[0].Requests++ }, "NothingDropped"},
	}
}

func indices[T any](s []T) []int {
	out := make([]int, len(s))
	for i := range s {
		out[i] = i
	}
	return out
}

// secondCall lets another replica call for the same key while a call is in flight.
func (h *history) secondCall(pick func(int) int) {
	latest := func(u evidence.Upstream) bool { return u.Billed && u.Arrived >= loadFrom && u.N == h.n[u.Key] }
	u := *such(pick, h.Upstream, latest)
	u.ID, u.N, u.Caller, u.Arrived, u.Ended = "llm-second", u.N+1, "gateway-1", u.Arrived+150*time.Millisecond, u.Ended+150*time.Millisecond
	h.Upstream = append(h.Upstream, u)
}

// answered says that a client of the load holds the call's answer.
func (h *history) answered(u evidence.Upstream) bool {
	return slices.ContainsFunc(h.Calls, func(c evidence.Call) bool { return c.Answer.CallID == u.ID })
}

func (h *history) someHop(pick func(int) int) *evidence.Hop {
	return such(pick, h.Hops, func(hop evidence.Hop) bool { return ofLoad(hop) && h.quiet(hop) })
}

// someRow is a row of the load: what rows of the warm-up say of tenant and key nobody else knows.
func (h *history) someRow(pick func(int) int) *evidence.Row {
	return such(pick, h.Rows, func(w evidence.Row) bool { return w.At > loadFrom })
}

// quietRow is a row of a request that was not sent on: who had such a one first may have made it.
func (h *history) quietRow(pick func(int) int) *evidence.Row {
	return such(pick, h.Rows, func(w evidence.Row) bool { hop := h.hopOf(w.RequestID); return hop != nil && h.quiet(*hop) })
}

func scraped(s evidence.Sample) bool { return s.Error == "" }

// atEnd is the last sample of some replica.
func (h *history) atEnd(pick func(int) int) *evidence.Sample {
	name, last := node(1+pick(3)), 0
	for i, s := range h.Samples {
		if s.Node == name {
			last = i
		}
	}
	return &h.Samples[last]
}

func (h *history) blind(name string) {
	from := loadFrom + 500*time.Millisecond
	if h.trouble.kind != "" && name == victim {
		from = loadFrom + h.trouble.heal + 700*time.Millisecond // what was not sampled before is excused
	}
	h.Samples = slices.DeleteFunc(h.Samples, func(s evidence.Sample) bool {
		return s.Node == name && s.At > from && s.At < from+2500*time.Millisecond
	})
}

// notices says whether the named check, or the fault's certificate, no longer passes.
func notices(h *history, before *history, name string) bool {
	run := h.run()
	if name == "certificate" {
		return slices.ContainsFunc(slices.Collect(run.Injections()), func(in evidence.Injection) bool {
			return !check.Certify(run, in, check.Killed).Certified && in.Kind() == evidence.FaultKill ||
				!check.Certify(run, in, check.Terminated).Certified && in.Kind() == evidence.FaultTerm
		})
	}
	names := strings.Split(name, " or ")
	return slices.ContainsFunc(checksFor(before), func(c check.Check) bool {
		return slices.Contains(names, c.Name) && c.Judge(run).Status != check.Pass
	})
}

func TestCorruptionsAreNoticed(t *testing.T) {
	for _, c := range corruptions() {
		t.Run(c.name+" by "+c.noticed, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				before := draw(t)
				if c.kind != "" && before.trouble.kind != c.kind {
					before = scripted(c.kind)
				}
				after := before.clone()
				c.spoil(func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "pick") }, after)
				if !notices(after, before, c.noticed) {
					t.Fatalf("%s did not notice", c.noticed)
				}
			})
		})
	}
}
