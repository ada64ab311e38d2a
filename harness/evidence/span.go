package evidence

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Forever is later than anything recorded.
const Forever = time.Duration(math.MaxInt64)

// Span is a stretch of a run, in offsets from its epoch, both ends included. It is empty if To is before From.
type Span struct{ From, To time.Duration }

// Holds reports whether t lies in the span.
func (s Span) Holds(t time.Duration) bool { return s.From <= t && t <= s.To }

// Overlap is how long the two spans last together.
func (s Span) Overlap(o Span) time.Duration { return max(0, min(s.To, o.To)-max(s.From, o.From)) }

// Meets reports whether the two spans have at least a moment in common.
func (s Span) Meets(o Span) bool { return s.From <= o.To && o.From <= s.To }

// MeetsAny reports whether the span has a moment in common with one of the others.
func (s Span) MeetsAny(others []Span) bool { return slices.ContainsFunc(others, s.Meets) }

// Merge returns the same time in spans that have no moment in common, ascending.
func Merge(spans []Span) (out []Span) {
	for _, s := range slices.SortedFunc(slices.Values(spans), func(a, b Span) int { return cmp.Compare(a.From, b.From) }) {
		if n := len(out); n > 0 && out[n-1].Meets(s) {
			out[n-1].To = max(out[n-1].To, s.To)
		} else {
			out = append(out, s)
		}
	}
	return out
}
