package check

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// forever is later than anything recorded.
const forever = time.Duration(math.MaxInt64)

// span is a stretch of the run, both ends included.
type span struct{ from, to time.Duration }

func (s span) holds(t time.Duration) bool { return s.from <= t && t <= s.to }

func (s span) overlap(o span) time.Duration { return max(0, min(s.to, o.to)-max(s.from, o.from)) }

// meets says whether the two have at least a moment in common.
func (s span) meets(o span) bool { return s.from <= o.to && o.from <= s.to }

// merged is the same time in spans that have no moment in common, ascending.
func merged(spans []span) (out []span) {
	for _, s := range slices.SortedFunc(slices.Values(spans), func(a, b span) int { return cmp.Compare(a.from, b.from) }) {
		if n := len(out); n > 0 && out[n-1].meets(s) {
			out[n-1].to = max(out[n-1].to, s.to)
		} else {
			out = append(out, s)
		}
	}
	return out
}

// loadStart is the moment that the offsets of the plan count from.
func loadStart(run *evidence.Run) (time.Duration, bool) {
	w, ok := run.Window(evidence.PhaseLoad)
	return w.From, ok
}

// complete refuses to judge evidence in which the absence of a record proves nothing.
func complete(name string, of func(*evidence.Run) Verdict) Check {
	return Check{Name: name, Of: func(run *evidence.Run) Verdict {
		if !run.Complete {
			return unknown("the evidence is incomplete: the run was cut short or records are missing")
		}
		return of(run)
	}}
}
