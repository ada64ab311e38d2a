package check

import (
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Excuses are what may keep a service from getting an answer that is stored nowhere.
type Excuses struct {
	Authorities []Authority   // one of them must take writes, or nobody may call the upstream
	Linger      time.Duration // how long after none did a request may still be refused for it
	Faults      []string      // names of those that keep the upstream from answering calls
	Settle      time.Duration // how long after the heal of one requests may still be refused for it
}

// RefusedOnlyWithoutAuthority: nobody was refused without need. A request whose answer must have been stored, a hit, never
// is. Any other may be if at some moment between when it was due and its refusal no authority took writes, at the longest
// Linger before the refusal; or if one of the Faults was on, or had been healed for no longer than Settle. All of this
// is what others than the service saw. Unknown if an authority was never seen to take writes.
func RefusedOnlyWithoutAuthority(e Excuses) Check {
	return complete("RefusedOnlyWithoutAuthority", func(run *evidence.Run) Verdict {
		if _, ok := lifetimeOf(run); !ok {
			return unknown("the plan lacks the lifetime of answers, which tells hits from misses")
		}
		if l := readLedger(run); l.flaw != "" {
			return unknown("%s", l.flaw)
		}
		gaps, missing := unguarded(run, e.Authorities)
		if missing != "" {
			return unknown("%s", missing)
		}
		r := refusals{excuses: e, gaps: gaps, faulty: e.faulty(run), why: tally{}}
		stored := readHits(run)
		for i, c := range eachBrief(run) {
			if r.requests++; c.Outcome == evidence.Refused {
				r.judge(c, stored[i])
			}
		}
		figures := r.figures(run)
		switch {
		case r.requests == 0:
			return unknown("no request was sent")
		case len(r.culprits) > 0:
			return fail(figures, r.culprits, "%d requests were refused without need: %s", len(r.culprits), r.why)
		}
		return pass(figures, "of %d requests %d were refused, %d of them while no authority took writes and %d for the upstream",
			r.requests, r.unguarded+r.upstream, r.unguarded, r.upstream)
	})
}

// faulty are the times in which those faults may have kept requests from being answered.
func (e Excuses) faulty(run *evidence.Run) (times []span) {
	for in := range run.Injections() {
		if !slices.Contains(e.Faults, in.Fault) {
			continue
		}
		over := forever
		if in.Healing != 0 {
			over = in.Healing + e.Settle
		}
		times = append(times, span{in.Ordered, over})
	}
	return times
}

// refusals gathers who was refused, and why.
type refusals struct {
	excuses             Excuses
	gaps, faulty        []span
	requests            int
	unguarded, upstream int
	why                 tally
	culprits            []uint64
}

func (r *refusals) judge(c *brief, stored bool) {
	waited := span{c.Due, c.End}
	switch {
	case stored:
		r.blame(c, "hits")
	case meetsAny(r.faulty, waited):
		r.upstream++
	case meetsAny(r.gaps, span{max(c.Due, c.End-r.excuses.Linger), c.End}):
		r.unguarded++
	default:
		r.blame(c, "misses while an authority took writes and the upstream was well")
	}
}

func (r *refusals) blame(c *brief, what string) {
	r.why[what]++
	r.culprits = append(r.culprits, c.Seq)
}

func (r *refusals) figures(run *evidence.Run) map[string]float64 {
	load, _ := run.Window(evidence.PhaseLoad)
	var away time.Duration
	for _, g := range r.gaps {
		away += g.overlap(span{load.From, load.To})
	}
	return map[string]float64{"refused_unguarded": float64(r.unguarded), "refused_for_upstream": float64(r.upstream),
		"refused_without_need": float64(len(r.culprits)), "unguarded_ms": ms(away)}
}

func meetsAny(all []span, s span) bool {
	for _, one := range all {
		if one.meets(s) {
			return true
		}
	}
	return false
}
