package check_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// upstreamCase alters a history and says what a check must make of it.
type upstreamCase struct {
	name   string
	alter  func(*history)
	want   check.Status
	reason string
}

// upstreamTable is what a check of the upstream's ledger must make of alterations of a history that it passes.
type upstreamTable struct {
	check check.Check
	base  func() *history
	cases []upstreamCase
}

func upstreamTables() []upstreamTable {
	all := []upstreamTable{expirySpread(), retryAfterHonoured(), okInGoodSpells(), answersOutliveClients()}
	for i := range all {
		all[i].cases = append(all[i].cases, upstreamCase{"no ledger", func(h *history) { h.Upstream = nil }, check.Unknown, ""},
			upstreamCase{"no plan", func(h *history) { h.plan.Params = nil }, check.Unknown, "the plan lacks"})
	}
	return all
}

func (u upstreamTable) run(c upstreamCase) *evidence.Run {
	h := u.base()
	c.alter(h)
	return h.run()
}

func TestUpstreamChecks(t *testing.T) {
	for _, u := range upstreamTables() {
		for _, c := range u.cases {
			t.Run(u.check.Name+"/"+c.name, func(t *testing.T) {
				if v := u.check.Judge(u.run(c)); v.Status != c.want || !strings.Contains(v.Reason, c.reason) || v.Reason == "" {
					t.Errorf("%s: %s; want %s: ...%s...", v.Status, v.Reason, c.want, c.reason)
				}
			})
		}
	}
}

func (h *history) called(id, key string, n uint64, caller string, arrived, ended time.Duration, outcome string) *evidence.Upstream {
	h.Upstream = append(h.Upstream, evidence.Upstream{ID: id, Key: key, N: n, Caller: caller, Arrived: arrived, Ended: ended, Outcome: outcome, Billed: outcome == evidence.UpstreamOK})
	return &h.Upstream[len(h.Upstream)-1]
}

// expiring is 60 keys that were stored within 60 ms at 5 s, of which the load renews one every 67 ms from 11 s to 15 s. Their
// lifetime is 4 to 8 s: an even spread brings 1.5 renewals in 100 ms.
func expiring() *history {
	h := &history{plan: evidence.Plan{Params: map[string]time.Duration{evidence.ParamLifetime: 4 * time.Second, evidence.ParamMaxAge: 8 * time.Second}}}
	h.Windows = []evidence.Window{{Name: evidence.PhaseLoad, From: seconds(10), To: seconds(20)}}
	for i := range 60 {
		key := fmt.Sprint("hot-", i)
		stored := seconds(5) + time.Duration(i)*time.Millisecond
		h.called(key+"-1", key, 1, "gateway-1", stored-llmTakes, stored, evidence.UpstreamOK)
		at := seconds(11) + time.Duration(i)*67*time.Millisecond
		h.called(key+"-2", key, 2, "gateway-1", at, at+llmTakes, evidence.UpstreamOK)
	}
	return h
}

// renewals alters the i-th renewal of those from one number to another.
func renewals(from, to int, at func(i int) time.Duration) func(*history) {
	return func(h *history) {
		for i := from; i < to; i++ {
			u := &h.Upstream[2*i+1]
			u.Arrived = at(i)
			u.Ended = u.Arrived + llmTakes
		}
	}
}

func expirySpread() upstreamTable {
	together := func(i int) time.Duration { return seconds(12) + time.Duration(i)*time.Millisecond }
	return upstreamTable{check.ExpirySpread(100*time.Millisecond, 6), expiring, []upstreamCase{
		{"spread", func(*history) {}, check.Pass, "at most 2 renewals of 60 keys"},
		{"as dense as allowed", renewals(0, 7, together), check.Pass, "at most 9 renewals"},
		{"denser", renewals(0, 20, together), check.Fail, "20 renewals reached the upstream within 100ms; an even spread over the jitter brings 1.5"},
		{"all together", renewals(0, 60, together), check.Fail, "60 renewals"},
		{"together across an edge", renewals(0, 20, func(i int) time.Duration { return seconds(12) + time.Duration(i*9)*time.Millisecond }), check.Fail, "12 renewals"},
		{"together before the load", renewals(0, 60, func(i int) time.Duration { return seconds(9) + time.Duration(i)*time.Millisecond }), check.Unknown, "0 keys were renewed"},
		{"few keys", func(h *history) { h.Upstream = h.Upstream[:2*39] }, check.Unknown, "39 keys were renewed, too few"},
		{"stored one after another", func(h *history) {
			for i := range 60 {
				u := &h.Upstream[2*i]
				u.Arrived, u.Ended = time.Duration(i)*130*time.Millisecond, time.Duration(i)*130*time.Millisecond
			}
		}, check.Unknown, "had been stored together"},
		{"no jitter", func(h *history) { h.plan.Params[evidence.ParamLifetime] = 8 * time.Second }, check.Unknown, "the plan lacks a jitter"},
		{"little jitter", func(h *history) { h.plan.Params[evidence.ParamLifetime] = 8*time.Second - 500*time.Millisecond }, check.Unknown, "too few for a burst to show"},
		{"no load", func(h *history) { h.Windows = nil }, check.Unknown, "start of the load"},
	}}
}

// asked is two callers, of which the first is told at 20 s to come again after 2 s, with misses all the while.
func asked() *history {
	h := outage()
	for i := range h.Upstream {
		h.Upstream[i].Caller = fmt.Sprint("gateway-", 1+i%2)
	}
	h.Upstream = slices.DeleteFunc(h.Upstream, func(u evidence.Upstream) bool {
		return u.Caller == "gateway-1" && u.Arrived > seconds(20) && u.Arrived < seconds(22)
	})
	h.called("busy", "busy", 1, "gateway-1", seconds(19.7), seconds(20), evidence.UpstreamError).RetryAfter = 2 * time.Second
	return h
}

func retryAfterHonoured() upstreamTable {
	early := func(caller string, at float64) func(*history) {
		return func(h *history) {
			h.called("early", "early", 1, caller, seconds(at), seconds(at+0.1), evidence.UpstreamOK)
		}
	}
	return upstreamTable{check.RetryAfterHonoured(), asked, []upstreamCase{
		{"stays away", func(*history) {}, check.Pass, "1 times a caller was told"},
		{"calls too early", early("gateway-1", 21.9), check.Fail, "1 calls reached the upstream before the time that it had told their caller; the first is early by gateway-1"},
		{"calls at once", early("gateway-1", 20.3), check.Fail, "1 calls"},
		{"was calling already", early("gateway-1", 20.2), check.Pass, ""},
		{"calls when it may", early("gateway-1", 22), check.Pass, ""},
		{"another calls", early("gateway-2", 21), check.Pass, ""},
		{"told by a call that came earlier", func(h *history) {
			h.called("busy2", "busy2", 1, "gateway-2", seconds(19), seconds(20.5), evidence.UpstreamError).RetryAfter = time.Second
		}, check.Fail, "by gateway-2"},
		{"told nobody", func(h *history) { h.Upstream[len(h.Upstream)-1].RetryAfter = 0 }, check.Unknown, "told nobody"},
		{"told for too short a time to see", func(h *history) { h.Upstream[len(h.Upstream)-1].RetryAfter = 200 * time.Millisecond }, check.Unknown, "told nobody"},
		{"nobody asked meanwhile", removed(20, 22, false), check.Unknown, "no miss was due"},
	}}
}

// flapping is an outage that comes and goes: 1 s bad, 1 s good, from 20 s to 40 s.
func flapping() *history {
	h := outage()
	h.Injections[0].Healing = seconds(39)
	saw(39.5, "alive", "store-1", evidence.SawUp)(&h.Records)
	h.Observations = slices.DeleteFunc(h.Observations, func(o evidence.Observation) bool { return o.What == evidence.SawUp && o.At < seconds(39) })
	for at := 20.0; at < 40; at += 2 {
		between(at, at+1, false, refused)(h)
		for i := range h.Upstream {
			if u := &h.Upstream[i]; seconds(at) <= u.Arrived && u.Arrived < seconds(at+1) {
				u.Outcome, u.Billed = evidence.UpstreamError, false
			}
		}
	}
	return h
}

func okInGoodSpells() upstreamTable {
	c := check.OkInGoodSpells(outageFault, check.Frozen, time.Second, time.Second, 0.9)
	more := func() *history { // four times the misses, to be enough in the good spells
		h := flapping()
		for _, c := range slices.Clone(h.Calls) {
			if c.Key != "hot" && c.Due >= seconds(20) {
				for n := range 3 {
					again := c
					again.Seq, again.Key = uint64(len(h.Calls)), fmt.Sprint(c.Key, "-", n)
					h.Calls = append(h.Calls, again)
				}
			}
		}
		return h
	}
	return upstreamTable{c, more, []upstreamCase{
		{"all of the good", func(*history) {}, check.Pass, "180 of 180 misses that were due in good spells"},
		{"all of the bad, too", between(20, 40, false, func(c *evidence.Call) { c.Outcome = evidence.OK }), check.Pass, "200 of 200 in bad ones"},
		{"nine in ten of the good", between(21, 21.8, false, refused), check.Pass, "164 of 180"},
		{"fewer", between(21, 22, false, refused), check.Fail, "160 of 180 misses that were due in good spells"},
		{"none", between(20, 40, false, refused), check.Fail, "0 of 180"},
		{"hits do not count", between(20, 40, true, refused), check.Pass, "180 of 180"},
		{"never bad", func(h *history) {
			for i := range h.Upstream {
				h.Upstream[i].Outcome, h.Upstream[i].Billed = evidence.UpstreamOK, true
			}
		}, check.Unknown, "ended as their spell says"},
		{"too few misses", removed(21, 39, false), check.Unknown, "100 each are wanted"},
		{"fault did nothing", func(h *history) { h.Observations = nil }, check.Unknown, "not certified"},
	}}
}

// leaver is a client that leaves at 10.2 s, while a call for its key is under way, and another that asks at 13 s.
func leaver() *history {
	h := &history{plan: evidence.Plan{Params: map[string]time.Duration{evidence.ParamLifetime: time.Minute}}}
	h.called("c1", "k", 1, "gateway-1", seconds(10.1), seconds(10.4), evidence.UpstreamOK)
	h.Calls = []evidence.Call{{Seq: 0, Key: "k", Due: seconds(10), Sent: seconds(10), End: seconds(10.2), Outcome: evidence.Aborted},
		{Seq: 1, Key: "k", Due: seconds(13), Sent: seconds(13), End: seconds(13.1), Outcome: evidence.OK, Answer: evidence.Answer{CallID: "c1"}}}
	return h
}

func answersOutliveClients() upstreamTable {
	cut := func(h *history) { h.Upstream[0].Outcome, h.Upstream[0].Billed = evidence.UpstreamHungUp, false }
	return upstreamTable{check.AnswersOutliveClients(), leaver, []upstreamCase{
		{"goes on", func(*history) {}, check.Pass, "all 1 calls"},
		{"cut short", cut, check.Fail, "1 ended hung_up"},
		{"cut short, and nobody asked again", func(h *history) { cut(h); h.Calls = h.Calls[:1] }, check.Fail, "1 ended hung_up"},
		{"lost, and called again", func(h *history) {
			h.called("c2", "k", 2, "gateway-2", seconds(13), seconds(13.3), evidence.UpstreamOK)
			h.Calls[1].Answer.CallID = "c2"
		}, check.Fail, "1 did not answer the next one"},
		{"refused afterwards", func(h *history) { refused(&h.Calls[1]) }, check.Fail, "1 did not answer the next one"},
		{"nobody asked again", func(h *history) { h.Calls = h.Calls[:1] }, check.Unknown, "nobody asked again"},
		{"asked again too soon to tell", func(h *history) { h.Calls[1].Due = seconds(11) }, check.Unknown, "nobody asked again"},
		{"asked again too late to tell", func(h *history) { h.Calls[1].Due = seconds(70) }, check.Unknown, "nobody asked again"},
		{"who asked again left, too", func(h *history) { h.Calls[1].Outcome = evidence.Aborted }, check.Unknown, "nobody asked again"},
		{"left before the call", func(h *history) { h.Calls[0].End = seconds(10.05) }, check.Unknown, "no client left while"},
		{"left after the call", func(h *history) { h.Calls[0].End = seconds(10.5) }, check.Unknown, "no client left while"},
		{"nobody left", func(h *history) { h.Calls[0].Outcome = evidence.OK }, check.Unknown, "no client left while"},
	}}
}

// staysZeroCases are about a gauge of a state.
func staysZeroCases() []verdictCase {
	const state = "sentinel_breaker_state"
	zero := check.StaysZero(state)
	set := func(v float64) func(*evidence.Sample) { return func(s *evidence.Sample) { s.Values[state] = v } }
	exported := func(alter ...func(*history)) func(*history) {
		return func(h *history) {
			for r := 1; r <= 3; r++ {
				samples(node(r), 0, set(0))(h)
			}
			both(alter...)(h)
		}
	}
	return []verdictCase{
		{"zero", zero, "", exported(), check.Pass, "was 0 on all 3 nodes"},
		{"once not", zero, "", exported(func(h *history) { set(2)(&h.Samples[len(h.Samples)/2]) }), check.Fail, state + " was 2 on gateway-2"},
		{"not before the load", zero, "", exported(samples("gateway-1", 0, func(s *evidence.Sample) {
			if s.At < loadFrom {
				set(2)(s)
			}
		})), check.Pass, ""},
		{"not exported by one", zero, "", exported(samples("gateway-3", 0, func(s *evidence.Sample) { delete(s.Values, state) })), check.Unknown, "gateway-3 was not seen to export"},
		{"no load", zero, "", exported(func(h *history) { h.Windows = nil }), check.Unknown, "start of the load"},
		{"no nodes", zero, "", func(h *history) { h.Nodes, h.Samples = nil, nil }, check.Unknown, "no node"},
	}
}
