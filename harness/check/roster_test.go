package check

import (
	"fmt"
	"testing"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"pgregory.net/rapid"
)

// TestRoster: requests are found by their ids wherever they are sought first, and whatever order the ids are in.
func TestRoster(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		numbers := rapid.SliceOfNDistinct(rapid.IntRange(0, 200), 0, 150, rapid.ID).Draw(t, "numbers")
		if rapid.Bool().Draw(t, "in order") {
			for i := range numbers {
				numbers[i] = 2*i + 1
			}
		}
		var r evidence.Records
		want := map[string]int32{}
		for i, n := range numbers {
			id := fmt.Sprintf("1-%d", n)
			want[id] = int32(i)
			r.Calls = append(r.Calls, evidence.Call{Seq: uint64(i), ID: id})
		}
		seek := newRoster(evidence.New(evidence.Plan{}, r)).seeker()
		for range 50 {
			id := fmt.Sprintf("1-%d", rapid.IntRange(0, 310).Draw(t, "sought"))
			place, known := want[id]
			if !known {
				place = none
			}
			if got := seek(id); got != place {
				t.Fatalf("%s is at %d, want %d", id, got, place)
			}
		}
	})
}
