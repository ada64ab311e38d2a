package check

import (
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// CallsHeldBack: from that long after the fault was active until its heal was ordered, no more than most calls reached the
// upstream: whoever sees that it is broken leaves it alone, but for a few probes. Unknown unless the fault is certified and
// lasted longer, and requests that no stored answer served were due in that time, more of them than calls are allowed.
func CallsHeldBack(fault string, proof Certificate, settled time.Duration, most int) Check {
	return complete("CallsHeldBack", func(run *evidence.Run) Verdict {
		d, p, missing := disturbed(run, fault, proof)
		if missing != "" {
			return unknown("%s", missing)
		}
		while := span{d.Active + settled, d.Healing}
		var calls, misses int
		for u := range run.Upstream() {
			if while.holds(u.Arrived) {
				calls++
			}
		}
		for i, c := range eachBrief(run) {
			if while.holds(c.Due) && p.class(i) == miss {
				misses++
			}
		}
		figures := map[string]float64{"calls": float64(calls), "calls_allowed": float64(most), "misses": float64(misses)}
		switch {
		case calls > most:
			return fail(figures, nil, "%d calls reached the upstream from %.0f ms after %q on; %d are allowed", calls, ms(settled), fault, most)
		case misses <= most:
			return unknown("only %d misses were due from %.0f ms after %q on", misses, ms(settled), fault).with(figures)
		}
		return pass(figures, "%d calls reached the upstream for %d misses from %.0f ms after %q on; %d are allowed", calls, misses, ms(settled), fault, most)
	})
}
