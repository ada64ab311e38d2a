package evidence_test

import (
	"slices"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"pgregory.net/rapid"
)

const spansEnd = 20

func drawSpan(t *rapid.T) evidence.Span {
	from := rapid.IntRange(0, spansEnd).Draw(t, "from")
	return evidence.Span{From: time.Duration(from), To: time.Duration(rapid.IntRange(from, spansEnd).Draw(t, "to"))}
}

// TestMerge: the same moments, in spans that do not meet.
func TestMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var spans []evidence.Span
		for range rapid.IntRange(0, 6).Draw(t, "spans") {
			spans = append(spans, drawSpan(t))
		}
		got := evidence.Merge(spans)
		for at := time.Duration(0); at <= spansEnd; at++ {
			holds := func(s evidence.Span) bool { return s.Holds(at) }
			if slices.ContainsFunc(spans, holds) != slices.ContainsFunc(got, holds) {
				t.Fatalf("%v of %v at %d", got, spans, at)
			}
		}
		for i := 1; i < len(got); i++ {
			if got[i-1].To >= got[i].From {
				t.Fatalf("%v meet", got)
			}
		}
	})
}

// TestMeets: two spans meet if some moment lies in both, and overlap for as long as there are moments from the first to the last.
func TestMeets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawSpan(t), drawSpan(t)
		common := time.Duration(0)
		for at := time.Duration(0); at <= spansEnd; at++ {
			if a.Holds(at) && b.Holds(at) {
				common++
			}
		}
		if a.Meets(b) != (common > 0) || a.MeetsAny([]evidence.Span{b}) != (common > 0) || a.MeetsAny(nil) {
			t.Errorf("%v meets %v: %t, with %d moments in common", a, b, a.Meets(b), common)
		}
		if want := max(0, common-1); a.Overlap(b) != want {
			t.Errorf("%v overlaps %v for %d, not %d", a, b, a.Overlap(b), want)
		}
	})
}
