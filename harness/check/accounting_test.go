package check_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// accountingCases are about what Accounting adds to the rows and the bill: the load balancer's log, the callers, the times and
// the counters.
func accountingCases() []verdictCase {
	const kill, freeze = evidence.FaultKill, evidence.FaultFreeze
	accounts, names := check.Accounting(counters()), counters()
	count := func(node, boot, series string, by float64) func(*history) {
		return samples(node, 0, func(s *evidence.Sample) {
			if s.Boot == boot {
				s.Values[series] += by
			}
		})
	}
	all200 := names.Answers + `{code="200",route="/ask"}`
	return []verdictCase{
		{"row of another replica", accounts, "", func(h *history) { h.Rows[8].Replica = "gateway-1" }, check.Fail, "1 row of another replica than answered"},
		{"row too late", accounts, "", func(h *history) { h.Rows[8].At += time.Second }, check.Fail, "row made before or after the request passed"},
		{"another status", accounts, "", func(h *history) { h.hopOf("1-2").Status = 201 }, check.Fail, "name another status"},
		{"not in the log", accounts, "", func(h *history) { h.unlog("1-2") }, check.Unknown, "log lacks request 1-2"},
		{"never arrived", accounts, "", func(h *history) {
			h.Calls[6].Outcome, h.Calls[6].Status = evidence.Ambiguous, 0
			h.unlog("1-6")
			h.Rows = h.Rows[:8]
			h.sampleOn(0)
		}, check.Pass, ""},
		{"warm-up not in the log", accounts, "", func(h *history) { h.unlog("warm-1-0") }, check.Unknown, "log lacks request warm-1-0"},
		{"warm-up sent on", accounts, "", func(h *history) { h.hopOf("warm-1-0").Retries = 1 }, check.Unknown, "warm-1-0 of the warm-up was not answered at the first attempt"},
		{"warm-up without a row", accounts, "", func(h *history) { h.Rows = h.Rows[1:] }, check.Fail, "answer without a row"},
		{"passed twice", accounts, "", func(h *history) { h.Hops = append(h.Hops, *h.hopOf("1-2")) }, check.Fail, "passed the load balancer more than once"},
		{"sent by nobody", accounts, "", func(h *history) {
			h.Hops = append(h.Hops, evidence.Hop{RequestID: "?", Server: "gateway-1", At: loadFrom, End: loadFrom, Status: 200, Termination: "--"})
			h.sampleOn(0)
		}, check.Fail, "1 passed the load balancer, yet was never sent"},
		{"sent by the set-up", accounts, "", func(h *history) {
			h.Hops = append(h.Hops, evidence.Hop{RequestID: "key", Server: "gateway-1", At: 3 * time.Second, End: 3 * time.Second, Status: 201, Termination: "--"})
			h.sampleOn(0)
		}, check.Pass, "10 requests"},
		{"unsent, yet logged", accounts, "", func(h *history) { h.Calls[6].Outcome = evidence.Unsent; h.Rows = h.Rows[:8] }, check.Fail, "passed the load balancer, yet was never sent"},
		{"another moment", accounts, "", func(h *history) { h.Calls[6].End += 10 * time.Second }, check.Unknown, "disagree on when request 1-6 passed"},
		{"call by another", accounts, "", func(h *history) { h.Upstream[2].Caller = "gateway-3" }, check.Fail, "call booked by another replica than made it"},
		{"call for another request", accounts, "", func(h *history) { h.Upstream[2].RequestID = "1-3" }, check.Fail, "call booked by another request than made it"},
		{"call for nobody", accounts, "", func(h *history) { h.Upstream[2].RequestID = "?" }, check.Fail, "call for a request that was never sent"},
		{"call for another tenant", accounts, "", func(h *history) { h.Upstream[2].Tenant = "globex" }, check.Fail, "call for another tenant or key than the request's"},
		{"call after its request", accounts, "", func(h *history) { h.Upstream[2].Ended += time.Second }, check.Fail, "call made before or after its request passed"},
		{"row of another key than its call", accounts, "", func(h *history) { h.Rows[0].Key = "other" }, check.Fail, "row of another tenant or key than its call"},

		{"one answer more", accounts, "", count("gateway-1", boot1, all200, 1), check.Fail, "code 200 of gateway-1 is 4, and the load balancer logged 3"},
		{"one answer less", accounts, "", count("gateway-1", boot1, all200, -1), check.Fail, "code 200 of gateway-1 is 2"},
		{"answers of another kind", accounts, "", count("gateway-1", boot1, names.Answers+`{code="503",route="/ask"}`, 1), check.Fail, "code 503 of gateway-1 is 1, and the load balancer logged 0"},
		{"answer of a cut request", accounts, "", func(h *history) {
			h.Calls[6].Outcome, h.Calls[6].Status, h.hopOf("1-6").Termination = evidence.Ambiguous, 0, "CD"
			count("gateway-3", boot1, all200, -1)(h)
		}, check.Pass, ""},
		{"one call more", accounts, "", count("gateway-1", boot1, names.Calls, 1), check.Fail, "of gateway-1 is 3, and the records say 2"},
		{"one call less", accounts, "", count("gateway-1", boot1, names.Calls, -1), check.Fail, "of gateway-1 is 1, and the records say 2"},
		{"a nano-dollar more", accounts, "", count("gateway-3", boot1, names.Cost, 1), check.Fail, "cost_total of gateway-3 is 47001, and the records say 47000"},
		{"one hit more", accounts, "", count("gateway-3", boot1, names.Hits, 1), check.Fail, "of gateway-3 is 3, and the records say 2"},
		{"one hit less", accounts, "", count("gateway-3", boot1, names.Hits, -1), check.Pass, ""},
		{"a killed boot counted less", accounts, kill, count(victim, boot1, names.Cost, -47_000), check.Pass, ""},
		{"a killed boot counted more", accounts, kill, count(victim, boot1, names.Cost, 1), check.Fail, "cost_total of gateway-2"},
		{"the boot after it counted less", accounts, kill, count(victim, boot2, names.Cost, -1), check.Fail, "cost_total of gateway-2"},
		{"not scraped at rest", accounts, "", samples("gateway-3", loadFrom+3*time.Second, func(s *evidence.Sample) { s.Error = "timeout" }), check.Unknown, "gateway-3 was not scraped after the last response"},
		{"not exported", accounts, "", func(h *history) {
			for _, s := range h.Samples {
				delete(s.Values, names.Cost)
			}
			for i := range h.Upstream {
				h.Upstream[i].Cost = 0
			}
			for i := range h.Rows {
				h.Rows[i].Cost = 0
			}
		}, check.Unknown, "no replica exports cost_total"},
		{"boots without an exit", accounts, evidence.FaultTerm, func(h *history) { h.Exits = nil }, check.Unknown, "gateway-2 was scraped in 2 boots, and ended 0 times"},
		{"row of an unknown boot", accounts, kill, func(h *history) { // nothing else gives it away: a boot that ended may have counted less
			h.Rows[slices.IndexFunc(h.Rows, func(w evidence.Row) bool { return w.Replica == victim })].Boot = "other"
			samples(victim, 0, func(s *evidence.Sample) {
				if s.Boot == boot1 {
					s.Values[names.Calls], s.Values[names.Cost], s.Values[names.Hits] = 0, 0, 0
				}
			})(h)
		}, check.Unknown, `rows name boot "other" of "gateway-2", which nobody scraped`},

		{"overtaken in a freeze", accounts, freeze, func(h *history) { h.overtaken() }, check.Pass, "14 rows"},
		{"overtaken, answer lost", accounts, freeze, func(h *history) { h.overtaken().Outcome = evidence.Ambiguous }, check.Pass, "14 rows"},
		{"overtaken, but told its own", accounts, freeze, func(h *history) { h.overtaken().Answer.CallID = "llm-own" }, check.Fail, "more than one row"},
		{"overtaken, rows of two replicas", accounts, freeze, func(h *history) { h.overtaken(); h.Rows[len(h.Rows)-1].Replica = "gateway-3" }, check.Fail, "more than one row"},
		{"overtaken without a freeze", accounts, freeze, func(h *history) { h.overtaken(); h.Observations = nil }, check.Fail, "more than one row"},
		{"overtaken within the lease", accounts, freeze, func(h *history) {
			h.overtaken()
			h.plan.Params[evidence.ParamLease] = time.Minute
		}, check.Fail, "more than one row"},
		{"overtaken, lease unknown", accounts, freeze, func(h *history) { h.overtaken(); delete(h.plan.Params, evidence.ParamLease) }, check.Unknown, "the plan lacks the lease"},
		{"overtaken by itself", accounts, freeze, func(h *history) { h.overtaken(); h.Upstream[len(h.Upstream)-1].Caller = victim }, check.Fail, "more than one row"},
		{"overtaken after the thaw, for a request from before", accounts, freeze, func(h *history) { h.overtaken(); h.callLater() }, check.Pass, "14 rows"},
		{"overtaken after the thaw, for a request from after it", accounts, freeze, func(h *history) {
			h.overtaken()
			h.callLater()
			c, u := &h.Calls[len(h.Calls)-2], h.Upstream[len(h.Upstream)-1]
			c.Sent, h.hopOf(c.ID).At = u.Arrived, u.Arrived
		}, check.Fail, "more than one row"},
		{"overtaken after the thaw, for a request that was refused just before", accounts, freeze, func(h *history) {
			h.overtaken()
			h.callLater()
			h.refuseOther(1500 * time.Millisecond)
		}, check.Pass, "14 rows"},
		{"overtaken after the thaw, for a request that was refused long before", accounts, freeze, func(h *history) {
			h.overtaken()
			h.callLater()
			h.refuseOther(500 * time.Millisecond)
		}, check.Fail, "more than one row"},
		{"overtaken after the thaw, for a client that left long before", accounts, freeze, func(h *history) {
			h.overtaken()
			h.callLater()
			h.refuseOther(500 * time.Millisecond)
			c := &h.Calls[len(h.Calls)-2]
			c.Outcome, c.Status = evidence.Aborted, 0
		}, check.Pass, "14 rows"},
		{"overtaken, called after the freeze began", accounts, freeze, func(h *history) {
			h.overtaken()
			u := &h.Upstream[len(h.Upstream)-2]
			u.Arrived, u.Ended = u.Arrived+400*time.Millisecond, u.Ended+400*time.Millisecond
		}, check.Fail, "more than one row"},
		{"overtaken when cut off", accounts, freeze, func(h *history) { h.overtaken(); h.cutOff() }, check.Pass, "14 rows"},
		{"overtaken, called under the last lease", accounts, freeze, func(h *history) {
			h.overtaken()
			h.cutOff()
			h.Upstream[len(h.Upstream)-2].Arrived += 200 * time.Millisecond
		}, check.Pass, "14 rows"},
		{"overtaken when cut off from one store of two", accounts, freeze, func(h *history) {
			h.overtaken()
			h.cutOff()
			h.Nodes = append(h.Nodes, evidence.Node{Name: "redis-2", Store: true})
		}, check.Fail, "more than one row"},
		{"rows of two calls, sent on when cut off", accounts, kill, func(h *history) { h.bookLost(); h.cutOff() }, check.Pass, "12 rows"},
		{"rows of two calls, sent on, cut not certified", accounts, kill, func(h *history) { h.bookLost(); h.cutOff(); h.Observations = nil }, check.Fail, "more than one row"},
		{"overtaken, and a third row", accounts, freeze, func(h *history) { h.overtaken(); h.Rows = append(h.Rows, h.Rows[len(h.Rows)-1]) }, check.Fail, "more than one row"},
	}
}

// overtaken adds a request whose replica was frozen for longer than the lease while it called, and which was told the answer
// that another replica had brought by then. Both calls are booked; the other's is the last one, its own the one before.
func (h *history) overtaken() *evidence.Call {
	froze, n := h.Injections[0].Ordered, uint64(len(h.Calls))
	h.plan.Params[evidence.ParamLease] = time.Second
	const key = "key-slow"
	own := evidence.Upstream{ID: "llm-own", RequestID: "slow", Tenant: "acme", Key: key, N: 1, Caller: victim, Cost: 5,
		Arrived: froze - 100*time.Millisecond, Ended: froze + 200*time.Millisecond, Outcome: evidence.UpstreamOK, Billed: true}
	other := own
	other.ID, other.RequestID, other.N, other.Caller = "llm-other", "quick", 2, "gateway-1"
	other.Arrived, other.Ended = froze+1500*time.Millisecond, froze+1800*time.Millisecond
	h.Upstream = append(h.Upstream, own, other)
	answer := evidence.Answer{CallID: other.ID, Tenant: "acme", Key: key}
	h.Calls = append(h.Calls,
		evidence.Call{Seq: n, ID: other.RequestID, Tenant: "acme", Key: key, Sent: other.Arrived, End: other.Ended, Status: 200, Outcome: evidence.OK, Answer: answer},
		evidence.Call{Seq: n + 1, ID: own.RequestID, Tenant: "acme", Key: key, Sent: own.Arrived, End: h.Injections[0].Healing, Status: 200, Outcome: evidence.OK, Answer: answer})
	for i, u := range []evidence.Upstream{other, own} {
		c := h.Calls[int(n)+i]
		h.Hops = append(h.Hops, evidence.Hop{RequestID: c.ID, Server: u.Caller, At: c.Sent, End: c.End, Status: 200, Termination: "--"})
		h.Rows = append(h.Rows, evidence.Row{ID: u.RequestID + "/" + u.ID, RequestID: u.RequestID, Tenant: "acme", Key: key, Kind: evidence.RowCall,
			CallID: u.ID, Cost: u.Cost, At: u.Ended, Replica: u.Caller, Boot: boot1})
	}
	h.Rows = append(h.Rows, evidence.Row{ID: "slow/llm-other", RequestID: "slow", Tenant: "acme", Key: key, Kind: evidence.RowHit,
		CallID: other.ID, At: h.Injections[0].Healing, Replica: victim, Boot: boot1})
	h.sampleOn(0)
	return &h.Calls[len(h.Calls)-1]
}

// callLater makes the last call one after the thaw, for which both requests wait.
func (h *history) callLater() {
	u := &h.Upstream[len(h.Upstream)-1]
	u.Arrived, u.Ended = u.Arrived+3*time.Second, u.Ended+3*time.Second
	for i := len(h.Calls) - 2; i < len(h.Calls); i++ {
		h.Calls[i].End, h.hopOf(h.Calls[i].ID).End = u.Ended, u.Ended
	}
	for i := range h.Rows {
		if h.Rows[i].CallID == u.ID {
			h.Rows[i].At = u.Ended
		}
	}
	h.sampleOn(5 * time.Second)
}

// refuseOther makes the request that the last call was made for one that was refused after that time.
func (h *history) refuseOther(after time.Duration) {
	c := &h.Calls[len(h.Calls)-2]
	hop := h.hopOf(c.ID)
	c.End, c.Outcome, c.Status, c.Answer = c.Sent+after, evidence.Refused, 503, evidence.Answer{}
	hop.End, hop.Status = c.End, 503
	h.sampleOn(0)
}

// cutOff makes the fault a cut of its target from the one store.
func (h *history) cutOff() {
	in := &h.Injections[0]
	in.Fault = evidence.FaultCut + " " + in.Target
	h.Nodes = append(h.Nodes, evidence.Node{Name: "redis-1", Store: true})
	for at, what := range map[time.Duration]string{in.Ordered + 200*time.Millisecond: evidence.SawLost, in.Healing + 200*time.Millisecond: evidence.SawReached} {
		h.Observations = append(h.Observations, evidence.Observation{At: at, Source: evidence.SourceReach("redis-1"), Node: in.Target, What: what})
	}
}

// TestEveryRequestHasOneClass: the classes add up, whatever becomes of the requests.
func TestEveryRequestHasOneClass(t *testing.T) {
	h := scripted(evidence.FaultKill)
	h.bookLost()
	h.Calls[3].Outcome, h.Calls[3].Status, h.hopOf("1-3").Status = evidence.Refused, 503, 503
	h.Calls[6].Outcome, h.Calls[6].Status = evidence.Ambiguous, 0
	h.unlog("1-6")
	h.Rows = slices.DeleteFunc(h.Rows, func(w evidence.Row) bool { return w.RequestID == "1-3" || w.RequestID == "1-6" })
	h.Hops = append(h.Hops, evidence.Hop{RequestID: "key", Server: "gateway-1", At: 3 * time.Second, End: 3 * time.Second, Status: 201, Termination: "--"})
	h.sampleOn(0)
	v := check.Accounting(counters()).Judge(h.run())
	if v.Status != check.Pass {
		t.Errorf("%s: %s", v.Status, v.Reason)
	}
	sum := 0.0
	for class, want := range map[string]float64{"answered_by_call": 4, "answered_by_hit": 2, "refused": 1, "ambiguous": 1, "two_rows": 1, "of_warmup": 2, "of_setup": 1, "unexplained": 0} {
		if got := v.Figures[class]; got != want {
			t.Errorf("%v requests are %s, want %v", got, class, want)
		}
		sum += v.Figures[class]
	}
	if sum != v.Figures["requests"] {
		t.Errorf("%v of %v requests have a class", sum, v.Figures["requests"])
	}
}

// TestMiscounts: counters that disagree with the records are one kind of contradiction, however many there are.
func TestMiscounts(t *testing.T) {
	h := scripted("")
	for i := range h.Samples {
		for _, name := range []string{counters().Hits, counters().Calls, counters().Cost} {
			h.Samples[i].Values[name] += 100
		}
	}
	v := check.Accounting(counters()).Judge(h.run())
	if want := "9 contradictions: 9 counters that disagree with the records (the first: " + counters().Calls + " of gateway-1 is "; v.Status != check.Fail || !strings.HasPrefix(v.Reason, want) || strings.Count(v.Reason, " is ") != 1 {
		t.Errorf("%s: %s\nwant %s...", v.Status, v.Reason, want)
	}
}

// TestTestimonies: the reason says what each record has of the requests that do not add up, and not of all of them.
func TestTestimonies(t *testing.T) {
	h := scripted("")
	h.Rows = h.Rows[:4]
	v := check.Accounting(counters()).Judge(h.run())
	for _, want := range []string{"answer without a row", "; request 1-2 (client: ok 200 from call llm-5; balancer: 200 by gateway-3; " +
		"upstream: call llm-5 by gateway-3 ok, 47000 nano-dollars, billed true; ledger: nothing); request 1-3 "} {
		if !strings.Contains(v.Reason, want) {
			t.Errorf("%s\ndoes not say: %s", v.Reason, want)
		}
	}
	if n := strings.Count(v.Reason, "; request "); n != 3 {
		t.Errorf("%d requests are spelled out: %s", n, v.Reason)
	}
	if !slices.Equal(v.Calls, []uint64{2, 3, 4, 5, 6}) || v.Figures["unexplained"] != 5 {
		t.Errorf("blames %v, %v unexplained", v.Calls, v.Figures["unexplained"])
	}
}
