package check

import (
	"fmt"
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// NothingLeftHeld: when the system was at rest, no store had a lock or a claim on record that somebody still held. What a
// dead or frozen replica took ends with its lease, so that it must be gone once a lease has passed since the last response,
// upstream call or heal. A claim that ended by itself was never given back: that fails too, unless a fault other than a
// SIGTERM, or one of the upstream, a node of that role, was on while it ran and for one lease after its heal. Each is told
// with the replica that called the upstream for its key last. Unknown if nobody looked, or looked too soon.
func NothingLeftHeld(upstream string) Check {
	return complete("NothingLeftHeld", func(run *evidence.Run) Verdict { return nothingLeftHeld(run, upstream) })
}

func nothingLeftHeld(run *evidence.Run, upstream string) Verdict {
	lease, known := run.Param(evidence.ParamLease)
	h := holdings{lease: lease, rest: restOf(run), excuses: excusesLeases(run, upstream, lease), callers: lastCallers(run), by: tally{}}
	for l := range run.Leases() {
		h.add(l)
	}
	figures := map[string]float64{"held": float64(h.held), "not_given_back": float64(h.abandoned), "excused": float64(h.excused)}
	switch {
	case !known:
		return unknown("the plan lacks the lease of the lock").with(figures)
	case h.held+h.abandoned > 0:
		return fail(figures, nil, "%d locks and claims were held at rest and %d had ended without being given back, by the last caller for their keys: %s; the first: %s",
			h.held, h.abandoned, h.by, h.first)
	case h.early != "":
		return unknown("%s", h.early).with(figures)
	case !collected(run, evidence.ProbeLeases):
		return unknown("nobody looked for locks and claims at rest").with(figures)
	}
	return pass(figures, "no lock and no claim was left; %d ended by themselves in a fault", h.excused)
}

// holdings sorts what was left.
type holdings struct {
	lease, rest              time.Duration
	excuses                  []span
	callers                  map[string]string // by key
	by                       tally
	held, abandoned, excused int
	first, early             string
}

func (h *holdings) add(l evidence.Lease) {
	ran := span{l.Taken, l.Ends}
	if l.Taken == 0 {
		ran.from = l.Ends - h.lease
	}
	switch over := l.Ends != 0 && l.Ends <= l.Seen; {
	case over && slices.ContainsFunc(h.excuses, ran.meets):
		h.excused++
		return
	case over:
		h.abandoned++
	case l.Ends != 0 && l.Seen <= h.rest+h.lease:
		h.early = fmt.Sprintf("the look at what is held came %.1f s after the last activity, before a lease was over", (l.Seen - h.rest).Seconds())
		return
	default:
		h.held++
	}
	caller := h.callers[l.Key]
	if caller == "" {
		caller = "nobody"
	}
	h.by[caller]++
	if h.first == "" {
		h.first = fmt.Sprintf("key %s in %s, token %s", l.Key, l.Store, l.Owner)
	}
}

// restOf is the moment from which nothing took a lease any more.
func restOf(run *evidence.Run) time.Duration {
	rest := lastActivity(run)
	for in := range run.Injections() {
		rest = max(rest, in.Healing)
	}
	return rest
}

// excusesLeases are the times in which a fault may have kept a replica from giving back what it held.
func excusesLeases(run *evidence.Run, upstream string, lease time.Duration) (all []span) {
	for in := range run.Injections() {
		if n, _ := run.Node(in.Target); in.Kind() == evidence.FaultTerm || n.Role == upstream {
			continue
		}
		s := span{in.Ordered, forever}
		if in.Healing != 0 {
			s.to = in.Healing + lease
		}
		all = append(all, s)
	}
	return all
}

// lastCallers are those of the keys of which something was left.
func lastCallers(run *evidence.Run) map[string]string {
	last := map[string]string{}
	for l := range run.Leases() {
		last[l.Key] = ""
	}
	for _, u := range run.EachUpstream() {
		if _, left := last[u.Key]; left {
			last[u.Key] = u.Caller
		}
	}
	return last
}
