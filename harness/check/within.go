package check

import (
	"math"
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// LatencyWithin: that percentile, 0 to 100, of the latencies of the requests due in the window was at most limit, whatever
// became of them. Unknown if so few were due that the percentile would be the slowest of them (100 asks for the slowest),
// or if only the load generator's lag took it beyond the limit.
func LatencyWithin(window Window, percent float64, limit time.Duration) Check {
	return complete("LatencyWithin", func(run *evidence.Run) Verdict {
		w, missing := window(run)
		if missing != "" {
			return unknown("%s", missing)
		}
		due := placesOf(dueIn(run, w))
		figures := map[string]float64{"requests": float64(len(due)), "limit_ms": ms(limit)}
		if least := leastFor(percent); len(due) < least {
			return unknown("%d requests were due in the window %q, too few for their p%g; %d are wanted", len(due), w.Name, percent, least).with(figures)
		}
		fromDue := nth(run, due, percent, latency)
		figures["latency_ms"] = ms(fromDue)
		switch {
		case fromDue <= limit:
			return pass(figures, "the p%g of %d requests in the window %q was %.1f ms; %.0f ms are allowed", percent, len(due), w.Name, ms(fromDue), ms(limit))
		case !keptSchedule(run), nth(run, due, percent, service) <= limit:
			return unknown("the p%g in the window %q was %.1f ms, since the load generator was late", percent, w.Name, ms(fromDue)).with(figures)
		}
		return fail(figures, slower(run, due, limit), "the p%g of %d requests in the window %q was %.1f ms; %.0f ms are allowed", percent, len(due), w.Name, ms(fromDue), ms(limit))
	})
}

// leastFor is how many values a percentile must rest on so as not to be the largest of them.
func leastFor(percent float64) int {
	if percent >= 100 {
		return 1
	}
	return int(math.Ceil(100/(100-percent) - rounding))
}

// nth is the percentile of what of tells of each request.
func nth(run *evidence.Run, requests []int32, percent float64, of func(*brief) time.Duration) time.Duration {
	briefs := readBriefs(run)
	all := make([]time.Duration, len(requests))
	for i, place := range requests {
		all[i] = of(&briefs[place])
	}
	slices.Sort(all)
	return percentile(all, percent)
}

func slower(run *evidence.Run, requests []int32, limit time.Duration) (seqs []uint64) {
	briefs := readBriefs(run)
	for _, place := range requests {
		if c := &briefs[place]; latency(c) > limit {
			seqs = append(seqs, c.Seq)
		}
	}
	return seqs
}

// ErrorsWithin: of the requests due in the window no more than that share, 0 to 1, failed or are of an unknown fate.
func ErrorsWithin(window Window, share float64) Check {
	return shareWithin("ErrorsWithin", "failed", window, share, func(c *brief) bool {
		return c.Outcome == evidence.Failed || c.Outcome == evidence.Ambiguous
	})
}

// RefusalsWithin: of the requests due in the window no more than that share, 0 to 1, were refused.
func RefusalsWithin(window Window, share float64) Check {
	return shareWithin("RefusalsWithin", "were refused", window, share, func(c *brief) bool { return c.Outcome == evidence.Refused })
}

// shareWithin is Unknown if nobody waited for a request that was due in the window.
func shareWithin(name, did string, window Window, share float64, is func(*brief) bool) Check {
	return complete(name, func(run *evidence.Run) Verdict {
		w, missing := window(run)
		if missing != "" {
			return unknown("%s", missing)
		}
		var due int
		var such []uint64
		for _, c := range dueIn(run, w) {
			if due++; is(c) {
				such = append(such, c.Seq)
			}
		}
		if due == 0 {
			return unknown("no request was due in the window %q", w.Name)
		}
		got := float64(len(such)) / float64(due)
		figures := map[string]float64{"requests": float64(due), "such": float64(len(such)), "share": got, "share_allowed": share}
		if got > share+rounding {
			return fail(figures, such, "%d of %d requests in the window %q %s, a share of %.4f; %.4f is allowed", len(such), due, w.Name, did, got, share)
		}
		return pass(figures, "%d of %d requests in the window %q %s; a share of %.4f is allowed", len(such), due, w.Name, did, share)
	})
}
