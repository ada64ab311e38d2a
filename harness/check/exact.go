package check

import "github.com/sentinel-chaos/sentinel/harness/evidence"

// ExactCalls: exactly n calls reached the upstream from the start of the load on, whatever became of them.
func ExactCalls(n uint64) Check {
	return complete("ExactCalls", func(run *evidence.Run) Verdict {
		start, ok := loadStart(run)
		if !ok {
			return unknown("the start of the load is not recorded")
		}
		l := readLedger(run)
		if l.flaw != "" {
			return unknown("%s", l.flaw)
		}
		var calls uint64
		for _, u := range l.calls {
			if u.Arrived >= start {
				calls++
			}
		}
		figures := map[string]float64{"calls": float64(calls), "expected": float64(n)}
		if calls != n {
			return fail(figures, nil, "%d calls reached the upstream, not %d", calls, n)
		}
		return pass(figures, "exactly %d calls reached the upstream", n)
	})
}
