package check

import (
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// storedTogether is the part of the jitter within which at least half of the answers must have been stored first: otherwise
// their deaths would be spread without any jitter.
const storedTogether = 0.25

// ExpirySpread: answers that were stored together do not die together. From the start of the load on, no more renewals, calls
// for keys that had been called before, reached the upstream within any window than factor times what all of these keys
// would bring if they were spread evenly over the jitter of their lifetimes: the plan's max_age less lifetime, where no
// stale answers are given. Unknown unless enough keys were renewed for a burst to show, and they had been stored together.
func ExpirySpread(window time.Duration, factor float64) Check {
	return complete("ExpirySpread", func(run *evidence.Run) Verdict {
		lifetime, ok1 := run.Param(evidence.ParamLifetime)
		maxAge, ok2 := run.Param(evidence.ParamMaxAge)
		start, ok3 := loadStart(run)
		l := readLedger(run)
		switch {
		case !ok1 || !ok2 || maxAge-lifetime <= window:
			return unknown("the plan lacks a jitter of lifetimes that is longer than %s", window)
		case !ok3:
			return unknown("the start of the load is not recorded")
		case l.flaw != "":
			return unknown("%s", l.flaw)
		}
		jitter := maxAge - lifetime
		keys, renewals, stored := renewed(run, start)
		even := float64(keys) * float64(window) / float64(jitter)
		most, together := densest(renewals, window), densest(stored, time.Duration(storedTogether*float64(jitter)))
		figures := map[string]float64{"keys": float64(keys), "renewals": float64(len(renewals)), "largest": float64(most),
			"even": even, "allowed": factor * even, "stored_together": float64(together)}
		switch {
		case even < 1 || float64(keys) <= factor*even:
			return unknown("%d keys were renewed, too few for a burst to show", keys).with(figures)
		case float64(most) > factor*even:
			return fail(figures, nil, "%d renewals reached the upstream within %s; an even spread over the jitter brings %.1f, and %.1f are allowed", most, window, even, factor*even)
		case 2*together < keys:
			return unknown("of %d keys that were renewed, no more than %d had been stored together", keys, together).with(figures)
		}
		return pass(figures, "at most %d renewals of %d keys reached the upstream within %s; an even spread over the jitter brings %.1f", most, keys, window, even)
	})
}

// renewed gives the number of keys that were called again from a moment on, when these calls came, and when the first call
// for each of these keys had ended.
func renewed(run *evidence.Run, from time.Duration) (keys int, renewals, stored []time.Duration) {
	groups := byKey(run, anyCall)
	for _, k := range groups.order {
		before := len(renewals)
		for _, u := range groups.of(k) {
			if u.N > 1 && u.Arrived >= from {
				renewals = append(renewals, u.Arrived)
			}
		}
		if len(renewals) > before {
			keys++
			stored = append(stored, groups.of(k)[0].Ended)
		}
	}
	return keys, renewals, stored
}

// densest is the largest number of moments within any window.
func densest(at []time.Duration, window time.Duration) (most int) {
	at = slices.Sorted(slices.Values(at))
	first := 0
	for last := range at {
		for at[last]-at[first] >= window {
			first++
		}
		most = max(most, last-first+1)
	}
	return most
}
