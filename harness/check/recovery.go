package check

import (
	"fmt"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

const (
	// inARow is how many requests must succeed one after another: a service that still fails one in a few passes none.
	inARow = 10
	// noise is by how much a request may be slower than is normal and still count as a success.
	noise = 100 * time.Millisecond
)

// ParamFloor and the name of a fault name the parameter that holds the least time which the running configuration lets
// the failed dependency take to serve again, e.g. the time after which its members call one of them dead.
const ParamFloor = "floor "

// RecoversWithin: from the moment at which the fault was active to the first of ten consecutive successes, hits and misses
// each, no more than limit went by. A success is an answer that comes no more than 100 ms later than is normal: the p99 of
// its class before the fault. Its time is when it was due.
func RecoversWithin(fault string, proof Certificate, limit time.Duration) Check {
	return recovers("RecoversWithin", fault, proof, limit, func(t Times) time.Duration { return t.Active })
}

// RecoversAfterHeal is RecoversWithin from the moment at which the fault was healed, for faults that the service cannot
// make up for while they last.
func RecoversAfterHeal(fault string, proof Certificate, limit time.Duration) Check {
	return recovers("RecoversAfterHeal", fault, proof, limit, func(t Times) time.Duration { return t.Healed })
}

func recovers(name, fault string, proof Certificate, limit time.Duration, from func(Times) time.Duration) Check {
	return complete(name, func(run *evidence.Run) Verdict {
		d, missing := certified(run, fault, proof)
		if missing != "" {
			return unknown("%s", missing)
		}
		p, missing := newPace(run, d.Ordered)
		if missing != "" {
			return unknown("%s", missing)
		}
		figures := map[string]float64{"limit_ms": ms(limit)}
		withFloor(run, fault, figures)
		worst, doubts := time.Duration(0), ""
		for _, k := range classes() {
			r := recoveryOf(run, p, k, from(d.Times))
			switch {
			case r.requests == 0:
				continue
			case r.missing != "":
				doubts = r.missing
				continue
			case !r.recovered:
				return fail(figures, r.failed, "after %q, there were never %d %s in a row that succeeded", fault, inARow, plural(k))
			}
			figures["recovery_"+string(k)+"_ms"] = ms(r.after)
			if worst = max(worst, r.after); r.after > limit {
				return fail(figures, r.failed, "%s took %.0f ms to recover from %q; %.0f ms are allowed", plural(k), ms(r.after), fault, ms(limit))
			}
		}
		switch {
		case doubts != "":
			return unknown("%s", doubts).with(figures)
		case len(figures) == 0 || worst == 0 && !measured(figures):
			return unknown("no request was due after %q", fault).with(figures)
		}
		return pass(figures, "requests recovered from %q within %.0f ms", fault, ms(worst))
	})
}

func measured(figures map[string]float64) bool {
	for _, k := range classes() {
		if _, ok := figures["recovery_"+string(k)+"_ms"]; ok {
			return true
		}
	}
	return false
}

func plural(k class) string { return map[class]string{hit: "hits", miss: "misses"}[k] }
