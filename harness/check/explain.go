package check

import (
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

const (
	// seenLate is how much later than the caller the upstream may notice that a call is over.
	seenLate = 100 * time.Millisecond
	// storedWithin is how long after the end of a call its answer may not be stored yet. Nobody but the service sees the
	// store itself, so a caller's death explains nothing later than this.
	storedWithin = time.Second
)

// explainer knows what may explain an extra call. None of it is the service's own evidence.
type explainer struct {
	lifetime, llmTimeout, lease time.Duration
	kills, freezes, isolations  []disturbance
	unguarded                   []span // when no authority took writes
	ledger                      *ledger
	told                        told
	spent                       map[use]*evidence.Upstream // the one call that it explains, or the last one
}

// use is one injection, as an explanation of calls of one key.
type use struct {
	key, fault string
	ordered    time.Duration
}

// newExplainer says what is missing if the plan lacks a parameter, or nobody saw one of the authorities.
func newExplainer(run *evidence.Run, authorities []Authority) (x *explainer, missing string) {
	x = &explainer{kills: disturbances(run, evidence.FaultKill), freezes: disturbances(run, evidence.FaultFreeze),
		isolations: isolations(run), ledger: readLedger(run), told: readTold(run), spent: map[use]*evidence.Upstream{}}
	var ok bool
	if x.lifetime, ok = lifetimeOf(run); !ok {
		return nil, "the plan lacks the lifetime of an answer"
	}
	if x.llmTimeout, ok = run.Param(evidence.ParamLLMTimeout); !ok {
		return nil, "the plan lacks the timeout of an upstream call"
	}
	if x.lease, ok = run.Param(evidence.ParamLease); !ok {
		return nil, "the plan lacks the lease of the lock"
	}
	x.unguarded, missing = unguarded(run, authorities)
	return x, missing
}

// told is when a client first held the answer of a call, by the call's place in the upstream's ledger; forever if none did.
type told []time.Duration

func readTold(run *evidence.Run) told { return evidence.Derive(run, whenTold) }

func whenTold(run *evidence.Run) told {
	t := told(slices.Repeat([]time.Duration{forever}, count(run.EachUpstream())))
	answer := readPlaces(run).answer
	for i, c := range eachBrief(run) {
		if place := answer[i]; place != none && c.Outcome == evidence.OK {
			t[place] = min(t[place], c.End)
		}
	}
	if nameless := readLedger(run).place(""); nameless != none {
		t[nameless] = forever // what names no call is the answer of none
	}
	return t
}

// against compares c with the live earlier calls of its key, the latest first. It returns those that are still live, the
// first that stands in c's way unexplained, and whether others do that are explained.
func (x *explainer) against(live []*evidence.Upstream, c *evidence.Upstream) (kept []*evidence.Upstream, conflict *evidence.Upstream, explained bool) {
	for i := len(live) - 1; i >= 0; i-- {
		switch p := live[i]; {
		case x.over(p, c.Arrived):
			live[i] = nil
		case !x.explains(p, c):
			return live, p, explained
		default:
			explained = true
		}
	}
	kept = live[:0]
	for _, p := range live {
		if p != nil {
			kept = append(kept, p)
		}
	}
	return kept, nil, explained
}

// over says whether p no longer stands in the way of calls from t on.
func (x *explainer) over(p *evidence.Upstream, t time.Duration) bool {
	if p == nil {
		return true
	}
	end := endOf(p)
	if p.Outcome == evidence.UpstreamOK {
		return t >= end && t-end >= x.lifetime
	}
	return t >= end
}

func (x *explainer) explains(p, c *evidence.Upstream) bool {
	return x.standsAside(p, c) || x.frozen(p, c) || x.isolated(p, c)
}

// standsAside says whether p is out of the way of c and of all that come after it.
func (x *explainer) standsAside(p, c *evidence.Upstream) bool {
	return endedBadly(p, c) || x.timedOut(p, c) || x.killed(p, c) || x.lost(p, c)
}

func endedBadly(p, c *evidence.Upstream) bool {
	switch p.Outcome {
	case evidence.UpstreamError, evidence.UpstreamCut, evidence.UpstreamHungUp:
		return p.Ended-c.Arrived <= seenLate
	}
	return false
}

func (x *explainer) timedOut(p, c *evidence.Upstream) bool {
	over := p.Arrived + x.llmTimeout - seenLate
	return endOf(p) >= over && c.Arrived >= over && !x.toldBy(p, c.Arrived)
}

func (x *explainer) killed(p, c *evidence.Upstream) bool {
	for _, k := range x.kills {
		if k.Target == p.Caller && p.Arrived <= k.Active && unstoredAt(p, k.Ordered) &&
			c.Arrived >= k.Ordered && !x.toldBy(p, k.Active) {
			return true
		}
	}
	return false
}

// frozen: p's caller, or c's, stood still. Whose answer was stored before c's caller froze was there for it to find. What c's caller
// began before it froze may reach the upstream when it goes on; whatever it begins after that, it could look at its lease first.
func (x *explainer) frozen(p, c *evidence.Upstream) bool {
	for _, f := range x.freezes {
		if f.Healed-f.Ordered <= x.lease {
			continue
		}
		hitEarlier := f.Target == p.Caller && p.Arrived <= f.Healed && unstoredAt(p, f.Ordered) && c.Arrived >= f.Ordered && !x.toldBy(p, c.Arrived)
		last := x.spent[use{c.Key, f.Fault, f.Ordered}]
		hitExtra := (last == nil || last == c) && f.Target == c.Caller && unstoredAt(p, f.Ordered) &&
			f.Healing <= c.Arrived && c.Arrived <= f.Healed+storedWithin
		if (hitEarlier || hitExtra) && x.spend(c, f) {
			return true
		}
	}
	return false
}

// isolated: p's caller, which began p under a lease from before it was alone, could store p's answer nowhere while others waited
// for that lease to end. No call of its own is explained: nothing keeps it from knowing that it is alone.
func (x *explainer) isolated(p, c *evidence.Upstream) bool {
	for _, i := range x.isolations {
		if i.Healed-i.Ordered <= x.lease {
			continue
		}
		hit := i.Target == p.Caller && p.Arrived <= i.Ordered+x.lease && unstoredAt(p, i.Ordered) && c.Arrived >= i.Ordered && !x.toldBy(p, c.Arrived)
		if hit && x.spend(c, i) {
			return true
		}
	}
	return false
}

// lost: there was a moment at which no authority could have kept p's lease, or its answer, for c's caller to find.
func (x *explainer) lost(p, c *evidence.Upstream) bool {
	between := span{p.Arrived, c.Arrived}
	if endOf(p) < c.Arrived {
		between.to = min(c.Arrived, p.Ended+storedWithin)
	}
	return meetsAny(x.unguarded, between)
}

// spend uses up the one extra call of a key that a fault explains. A call that stands aside leaves it to the next.
func (x *explainer) spend(c *evidence.Upstream, d disturbance) bool {
	u := use{c.Key, d.Fault, d.Ordered}
	if last := x.spent[u]; last != nil && last != c && !x.standsAside(last, c) {
		return false
	}
	x.spent[u] = c
	return true
}

// unstoredAt says whether p's answer need not have been stored at t.
func unstoredAt(p *evidence.Upstream, t time.Duration) bool { return endOf(p) >= t-storedWithin }

// toldBy says whether a client held p's answer by t, which proves that it was stored.
func (x *explainer) toldBy(p *evidence.Upstream, t time.Duration) bool {
	return x.told[x.ledger.place(p.ID)] <= t
}
