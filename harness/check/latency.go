package check

import (
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// WorstAddedLatency: from the order of the fault to the end of the run, no request took longer than is normal by more than
// limit, whatever became of it. Normal is the p99 of its class, hit or miss, in the same run before the fault. Unknown
// unless the fault is certified, requests were due while it lasted, and it is known what is normal for each of them, or if
// only the load generator's lag took some beyond the limit.
func WorstAddedLatency(fault string, proof Certificate, limit time.Duration) Check {
	return complete("WorstAddedLatency", func(run *evidence.Run) Verdict {
		d, p, missing := disturbed(run, fault, proof)
		if missing != "" {
			return unknown("%s", missing)
		}
		a := addedLatency(run, d, p, limit)
		switch {
		case len(a.over) > 0:
			return fail(a.figures, a.over, "%d requests took more than %.0f ms longer than is normal, the worst %.0f ms, after %q",
				len(a.over), ms(limit), ms(a.worst), fault)
		case a.late > 0:
			return unknown("%d requests took more than %.0f ms longer than is normal after %q, since the load generator was late", a.late, ms(limit), fault).with(a.figures)
		case a.during == 0:
			return unknown("no request was due while %q lasted", fault).with(a.figures)
		case a.missing != "":
			return unknown("%s", a.missing).with(a.figures)
		}
		return pass(a.figures, "no request took more than %.1f ms longer than is normal after %q; %.0f ms are allowed", ms(a.worst), fault, ms(limit))
	})
}

// added is how much longer than normal requests took.
type added struct {
	worst   time.Duration
	over    []uint64 // requests beyond the limit
	late    int      // others beyond it, for which the load generator alone may be to blame
	during  int      // requests due while the fault lasted
	missing string
	figures map[string]float64
}

func addedLatency(run *evidence.Run, d disturbance, p pace, limit time.Duration) added {
	worst := map[class]time.Duration{}
	a := added{figures: map[string]float64{"limit_ms": ms(limit)}}
	for i, c := range eachBrief(run) {
		if !waited(c) || c.End < d.Ordered {
			continue
		}
		if (span{d.Active, d.Healed}).holds(c.Due) {
			a.during++
		}
		k := p.class(i)
		normal, missing := p.normal(k)
		if missing != "" {
			a.missing = missing
			continue
		}
		more := max(0, latency(c)-normal)
		worst[k] = max(worst[k], more)
		switch {
		case more > limit && p.blameless(service(c), normal+limit):
			a.late++
		case more > limit:
			a.over = append(a.over, c.Seq)
		}
	}
	for k, more := range worst {
		normal, _ := p.normal(k)
		a.worst = max(a.worst, more)
		a.figures["normal_"+string(k)+"_ms"], a.figures["worst_added_"+string(k)+"_ms"] = ms(normal), ms(more)
	}
	return a
}

// leastCompared is how many latencies a p99 that is compared with another must rest on: of fewer, it is the slowest one.
const leastCompared = 100

// HitLatencyDuring: while the fault was in force, from when it was active to the order to heal it, the p99 of the hits was
// at most factor times that of the same run's hits before it. Those that were under way while a hypervisor kept the machine from
// running are left out on both sides; unknown if they are more than half.
func HitLatencyDuring(fault string, proof Certificate, factor float64) Check {
	return complete("HitLatencyDuring", func(run *evidence.Run) Verdict {
		d, p, missing := disturbed(run, fault, proof)
		if missing != "" {
			return unknown("%s", missing)
		}
		isHit := func(i int, c *brief) bool { return p.class(i) == hit && waited(c) }
		before := undisturbedOf(run, func(i int, c *brief) bool { return isHit(i, c) && c.Outcome == evidence.OK && c.End < d.Ordered })
		during := undisturbedOf(run, func(i int, c *brief) bool { return isHit(i, c) && d.Active <= c.Due && c.Due < d.Healing })
		figures := map[string]float64{"hits_before": float64(len(before.places)), "hits_during": float64(len(during.places)), "factor_allowed": factor,
			"left_out": float64(before.leftOut + during.leftOut)}
		switch {
		case before.tooMany() || during.tooMany():
			return unknown("of the hits before and during %q, %d and %d met time that a hypervisor stole from the machine: too many to leave out", fault,
				before.leftOut, during.leftOut).with(figures)
		case min(len(before.places), len(during.places)) < leastCompared:
			return unknown("%d hits before and %d during %q are too few to compare; %d each are wanted", len(before.places), len(during.places), fault,
				leastCompared).with(figures)
		}
		was, now := nth(run, before.places, 99, latency), nth(run, during.places, 99, latency)
		figures["before_p99_ms"], figures["during_p99_ms"] = ms(was), ms(now)
		figures["factor"] = float64(now) / float64(was)
		switch {
		case figures["factor"] <= factor:
		case p.late, float64(nth(run, during.places, 99, service)) <= factor*float64(was):
			return unknown("the p99 of hits rose from %.1f to %.1f ms during %q, since the load generator was late", ms(was), ms(now), fault).with(figures)
		default:
			return fail(figures, nil, "the p99 of hits rose from %.1f to %.1f ms during %q, by a factor of %.2f; %.2f is allowed", ms(was), ms(now), fault, figures["factor"], factor)
		}
		return pass(figures, "the p99 of hits was %.1f ms before and %.1f ms during %q, a factor of %.2f; %.0f hits met stolen time and are left out", ms(was), ms(now),
			fault, figures["factor"], figures["left_out"])
	})
}
