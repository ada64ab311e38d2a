package check

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestMerged: the same moments, in spans that do not meet.
func TestMerged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const end = 20
		var spans []span
		for range rapid.IntRange(0, 6).Draw(t, "spans") {
			from := rapid.IntRange(0, end).Draw(t, "from")
			spans = append(spans, span{time.Duration(from), time.Duration(rapid.IntRange(from, end).Draw(t, "to"))})
		}
		got := merged(spans)
		for at := time.Duration(0); at <= end; at++ {
			holds := func(s span) bool { return s.holds(at) }
			if slices.ContainsFunc(spans, holds) != slices.ContainsFunc(got, holds) {
				t.Fatalf("%v of %v at %d", got, spans, at)
			}
		}
		for i := 1; i < len(got); i++ {
			if got[i-1].to >= got[i].from {
				t.Fatalf("%v meet", got)
			}
		}
	})
}
