package check

import "github.com/sentinel-chaos/sentinel/harness/evidence"

// InFlightAt: when the fault of that name was ordered, its target was working on a request: by the load balancer's log, or
// by the upstream's ledger, since the log of a request that was repeated elsewhere names the last server only; and that many
// of its upstream calls at least were under way.
func InFlightAt(fault string, least int) Check {
	return complete("InFlightAt", func(run *evidence.Run) Verdict {
		in, ok := run.Injection(fault)
		if !ok {
			return unknown("fault %q was never ordered", fault)
		}
		var requests, calls int
		for _, h := range run.EachHop() {
			if h.Server == in.Target && h.At <= in.Ordered && in.Ordered < h.End {
				requests++
			}
		}
		for _, u := range run.EachUpstream() {
			if u.Caller == in.Target && u.Arrived <= in.Ordered && in.Ordered < endOf(u) {
				calls++
			}
		}
		figures := map[string]float64{"requests_in_flight": float64(requests), "calls_in_flight": float64(calls)}
		switch {
		case requests+calls == 0:
			return unknown("nothing was in flight on %s at %q", in.Target, fault).with(figures)
		case calls < least:
			return unknown("%d upstream calls were in flight on %s at %q, and %d are wanted", calls, in.Target, fault, least).with(figures)
		}
		return pass(figures, "%d requests and %d upstream calls were in flight on %s at %q", requests, calls, in.Target, fault)
	})
}

// SawHitsAndMisses: some requests were answered by a call that had ended before they were due, and some were not.
func SawHitsAndMisses() Check {
	return complete("SawHitsAndMisses", func(run *evidence.Run) Verdict {
		l := readLedger(run)
		var hits, misses int
		answer := readPlaces(run).answer
		for i, c := range eachBrief(run) {
			u, known := l.at(answer[i])
			switch {
			case !known || c.Outcome != evidence.OK:
			case u.Ended <= c.Due:
				hits++
			default:
				misses++
			}
		}
		figures := map[string]float64{"hits": float64(hits), "misses": float64(misses)}
		if hits == 0 || misses == 0 {
			return unknown("%d hits and %d misses were answered; both are wanted", hits, misses).with(figures)
		}
		return pass(figures, "%d hits and %d misses were answered", hits, misses)
	})
}

// SawCallsBeyondLease: some calls of the load that were answered had lasted longer than a lease, so that their callers must
// have renewed it.
func SawCallsBeyondLease() Check {
	return complete("SawCallsBeyondLease", func(run *evidence.Run) Verdict {
		lease, ok := run.Param(evidence.ParamLease)
		if !ok {
			return unknown("the plan lacks the lease")
		}
		from, ok := loadStart(run)
		if !ok {
			return unknown("it is not known when the load began")
		}
		beyond := 0
		for _, u := range run.EachUpstream() {
			if u.Arrived >= from && u.Outcome == evidence.UpstreamOK && u.Ended-u.Arrived > lease {
				beyond++
			}
		}
		figures := map[string]float64{"calls_beyond_lease": float64(beyond), "lease_ms": ms(lease)}
		if beyond == 0 {
			return unknown("no call that was answered lasted longer than the lease of %.0f ms", ms(lease)).with(figures)
		}
		return pass(figures, "%d calls lasted longer than the lease of %.0f ms", beyond, ms(lease))
	})
}
