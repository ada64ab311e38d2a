package load_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/load"
	"pgregory.net/rapid"
)

func due(s load.Shape) (all []time.Duration) {
	for k := uint64(0); ; k++ {
		d, ok := s.Due(k)
		if !ok {
			return all
		}
		all = append(all, d)
	}
}

func TestVaryingRates(t *testing.T) {
	const s, ms = time.Second, time.Millisecond
	tests := []struct {
		shape load.Shape
		text  string
		n     int
		some  map[int]time.Duration // when the request of that number, from 0, is due
	}{
		{load.Ramp(0, 200, 10*s), "0/s to 200/s over 10s", 1000, map[int]time.Duration{249: 5 * s, 999: 10 * s}},
		{load.Ramp(4, 0, 2*s), "4/s to 0/s over 2s", 4, map[int]time.Duration{2: s, 3: 2 * s}},
		{load.Ramp(10, 10, s), "10/s to 10/s over 1s", 10, map[int]time.Duration{0: 100 * ms, 9: s}},
		{load.Spike(10, 500, 2*s, s, 4*s), "10/s for 4s, with 500/s from 2s for 1s", 530, map[int]time.Duration{19: 2 * s, 20: 2*s + 2*ms, 519: 3 * s, 520: 3*s + 100*ms, 529: 4 * s}},
		{load.Spike(10, 0, s, 2*s, 4*s), "10/s for 4s, with 0/s from 1s for 2s", 20, map[int]time.Duration{9: s, 10: 3*s + 100*ms, 19: 4 * s}},
	}
	for _, test := range tests {
		got := due(test.shape)
		if len(got) != test.n || test.shape.String() != test.text {
			t.Errorf("%q: %d requests, want %d of %q", test.shape, len(got), test.n, test.text)
			continue
		}
		for k, want := range test.some {
			if off := (got[k] - want).Abs(); off > time.Microsecond {
				t.Errorf("%q: request %d is due at %v, not %v", test.shape, k, got[k], want)
			}
		}
	}
}

// varied is a shape with what it promises: its length, the bounds of its rate, and the number of requests.
type varied struct {
	load.Shape
	length    time.Duration
	low, high float64
	requests  float64
}

func anyShape(rt *rapid.T) varied {
	rate := rapid.Custom(func(rt *rapid.T) float64 { return float64(rapid.IntRange(0, 8000).Draw(rt, "rate")) / 4 })
	length := time.Duration(rapid.IntRange(1, 4000).Draw(rt, "ms")) * time.Millisecond
	a, b := rate.Draw(rt, "a"), rate.Draw(rt, "b")
	low, high, seconds := min(a, b), max(a, b), length.Seconds()
	if rapid.Bool().Draw(rt, "ramp") {
		return varied{load.Ramp(a, b, length), length, low, high, (a + b) / 2 * seconds}
	}
	return varied{load.Spike(a, b, length, length, 4*length), 4 * length, low, high, (3*a + b) * seconds}
}

// Whatever the rate: requests are in order, within the shape's length, and as many as the rate adds up to. No stretch holds
// more or fewer than the rate's bounds allow.
func TestVaryingRatesProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		v := anyShape(rt)
		got := due(v.Shape)
		if off := v.requests - float64(len(got)); off < -1e-6 || off > 1+1e-6 {
			rt.Fatalf("%q: %d requests, not %v", v.Shape, len(got), v.requests)
		}
		if !slices.IsSorted(got) || len(got) > 0 && (got[0] < 0 || got[len(got)-1] > v.length) {
			rt.Fatalf("%q: out of order, or outside of its length", v.Shape)
		}
		if len(got) < 2 {
			return
		}
		i := rapid.IntRange(0, len(got)-2).Draw(rt, "from")
		j := rapid.IntRange(i+1, len(got)-1).Draw(rt, "to")
		n, seconds := float64(j-i), (got[j] - got[i]).Seconds()
		if n < math.Floor(v.low*seconds-1e-3) || n > math.Ceil(v.high*seconds+1e-3) {
			rt.Fatalf("%q: %v requests in %v s", v.Shape, n, seconds)
		}
	})
}
