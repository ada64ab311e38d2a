package check

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// slowBusiest looks at every span that begins and ends with a passage.
func slowBusiest(b bucket, admitted []passage) (share float64) {
	for _, first := range admitted {
		for _, last := range admitted {
			n := 0
			for _, p := range admitted {
				if p.from >= first.from && p.to <= last.to {
					n++
				}
			}
			if n > 0 {
				share = max(share, float64(n)/b.most(last.to-first.from))
			}
		}
	}
	return share
}

func TestBusiestSpan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		every := time.Duration(rapid.IntRange(1, 40).Draw(t, "every"))
		b := bucket{every, every * time.Duration(rapid.IntRange(1, 5).Draw(t, "burst"))}
		var all []passage
		for i := range rapid.IntRange(1, 60).Draw(t, "passages") {
			from := time.Duration(rapid.IntRange(0, 300).Draw(t, "from"))
			took := time.Duration(rapid.SampledFrom([]int{0, 1, 5, 50, 300}).Draw(t, "took"))
			all = append(all, passage{span{from, from + took}, uint64(i)})
		}
		want := slowBusiest(b, all)
		c := newCrowd(all)
		s, share := c.busiest(b)
		if math.Abs(share-want) > 1e-9*want {
			t.Errorf("%v of the limit in %v, want %v", share, s, want)
		}
		for _, seq := range c.requests(s) {
			for _, p := range all {
				if p.seq == seq && (p.from < s.from || p.to > s.to) {
					t.Errorf("request %d passed in %v, which is not within %v", seq, p.span, s)
				}
			}
		}
	})
}
