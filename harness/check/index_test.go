package check

import (
	"testing"

	"pgregory.net/rapid"
)

// TestIndex: an index is a map of names to the places that they were entered with last.
func TestIndex(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOf(rapid.StringMatching("[a-d]{0,3}")).Draw(t, "names")
		x := newIndex(rapid.IntRange(0, len(names)).Draw(t, "room"), func(place int32) string { return names[place] })
		want := map[string]int32{}
		for i, name := range names {
			before, known := want[name]
			if !known {
				before = none
			}
			if got := x.add(name, int32(i)); got != before {
				t.Errorf("%q was at %d before, want %d", name, got, before)
			}
			want[name] = int32(i)
		}
		for name, place := range want {
			if got := x.find(name); got != place {
				t.Errorf("%q is at %d, want %d", name, got, place)
			}
		}
		if got := x.find("e"); got != none {
			t.Errorf("found what was not entered, at %d", got)
		}
	})
}
