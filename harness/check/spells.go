package check

import (
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// keptSpells is the share of upstream calls that must have ended as their spell says for the spells to be known: the order
// takes some time to arrive, and calls come at the edges.
const keptSpells = 0.9

// OkInGoodSpells: of the misses that were due in a good spell of a fault that comes and goes, at least that share was
// answered. The fault begins with a bad spell when it is ordered; spells follow each other until its heal is ordered.
// Unknown unless the fault is certified, enough misses were due in either kind of spell, and by its own ledger the upstream
// was bad when it should be and good otherwise.
func OkInGoodSpells(fault string, proof Certificate, bad, good time.Duration, share float64) Check {
	return complete("OkInGoodSpells", func(run *evidence.Run) Verdict {
		d, p, missing := disturbed(run, fault, proof)
		if missing != "" {
			return unknown("%s", missing)
		}
		s := spells{from: d.Ordered, to: d.Healing, bad: bad, good: good}
		misses := s.misses(run, p)
		kept, calls := s.kept(run)
		figures := map[string]float64{"misses_good": float64(misses[true].due), "ok_good": float64(misses[true].ok), "share_wanted": share,
			"misses_bad": float64(misses[false].due), "ok_bad": float64(misses[false].ok), "calls": float64(calls), "calls_as_ordered": float64(kept)}
		g := misses[true]
		switch {
		case float64(kept) < keptSpells*float64(calls) || calls == 0:
			return unknown("only %d of %d upstream calls ended as their spell says", kept, calls).with(figures)
		case min(g.due, misses[false].due) < leastCompared:
			return unknown("%d misses were due in good spells and %d in bad ones; %d each are wanted", g.due, misses[false].due, leastCompared).with(figures)
		case float64(g.ok) < share*float64(g.due):
			return fail(figures, g.others, "%d of %d misses that were due in good spells of %q were answered, less than %.0f %%", g.ok, g.due, fault, 100*share)
		}
		return pass(figures, "%d of %d misses that were due in good spells of %q were answered, and %d of %d in bad ones", g.ok, g.due, fault, misses[false].ok, misses[false].due)
	})
}

// spells are the good and bad times of a fault.
type spells struct{ from, to, bad, good time.Duration }

// isGood is known for moments from the order of the fault to that of its heal.
func (s spells) isGood(t time.Duration) (good, known bool) {
	return (t-s.from)%(s.bad+s.good) >= s.bad, s.from <= t && t < s.to
}

// answeredOf is how many requests were due, how many of them were answered, and which were not.
type answeredOf struct {
	due, ok int
	others  []uint64
}

func (s spells) misses(run *evidence.Run, p pace) map[bool]answeredOf {
	out := map[bool]answeredOf{}
	for i, c := range eachBrief(run) {
		good, known := s.isGood(c.Due)
		if !known || !waited(c) || p.class(i) != miss {
			continue
		}
		a := out[good]
		if a.due++; c.Outcome == evidence.OK {
			a.ok++
		} else {
			a.others = append(a.others, c.Seq)
		}
		out[good] = a
	}
	return out
}

// kept counts the upstream calls that ended as the spell says in which they arrived.
func (s spells) kept(run *evidence.Run) (kept, calls int) {
	for u := range run.Upstream() {
		good, known := s.isGood(u.Arrived)
		if !known {
			continue
		}
		if calls++; good == (u.Outcome == evidence.UpstreamOK) {
			kept++
		}
	}
	return kept, calls
}
