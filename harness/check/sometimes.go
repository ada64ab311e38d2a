package check

import "github.com/sentinel-chaos/sentinel/harness/evidence"

// InFlightAt: when the fault of that name was ordered, its target was working on a request, by the load balancer's log.
func InFlightAt(fault string) Check {
	return complete("InFlightAt", func(run *evidence.Run) Verdict {
		in, ok := run.Injection(fault)
		if !ok {
			return unknown("fault %q was never ordered", fault)
		}
		n := 0
		for h := range run.Hops() {
			if h.Server == in.Target && h.At <= in.Ordered && in.Ordered < h.End {
				n++
			}
		}
		figures := map[string]float64{"in_flight": float64(n)}
		if n == 0 {
			return unknown("no request was in flight on %s at %q", in.Target, fault).with(figures)
		}
		return pass(figures, "%d requests were in flight on %s at %q", n, in.Target, fault)
	})
}

// SawHitsAndMisses: some requests were answered by a call that had ended before they were due, and some were not.
func SawHitsAndMisses() Check {
	return complete("SawHitsAndMisses", func(run *evidence.Run) Verdict {
		l := readLedger(run)
		var hits, misses int
		for c := range run.Calls() {
			u, known := l.call(c.Answer.CallID)
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
