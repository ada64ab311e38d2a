package load_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/load"
	vegeta "github.com/tsenart/vegeta/v12/lib"
	"pgregory.net/rapid"
)

func TestShapes(t *testing.T) {
	ms := time.Millisecond
	tests := []struct {
		shape load.Shape
		text  string
		due   []time.Duration
	}{
		{load.Constant(100, 50*ms), "100/s for 50ms", []time.Duration{10 * ms, 20 * ms, 30 * ms, 40 * ms, 50 * ms}},
		{load.Constant(0.5, 5*time.Second), "0.5/s for 5s", []time.Duration{2 * time.Second, 4 * time.Second}},
		{load.Constant(0, time.Second), "0/s for 1s", nil},
		{load.Constant(-1, time.Second), "-1/s for 1s", nil},
		{load.Spread(4, 20*ms), "4 over 20ms", []time.Duration{5 * ms, 10 * ms, 15 * ms, 20 * ms}},
		{load.Spread(0, time.Second), "0 over 1s", nil},
		{load.Herd(3, 7*ms), "3 at once, after 7ms", []time.Duration{7 * ms, 7 * ms, 7 * ms}},
		{load.Herd(0, 0), "0 at once", nil},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			var due []time.Duration
			for k := uint64(0); ; k++ {
				d, ok := test.shape.Due(k)
				if !ok {
					break
				}
				due = append(due, d)
			}
			if !slices.Equal(due, test.due) || test.shape.String() != test.text {
				t.Errorf("%q: %v", test.shape, due)
			}
			plan := load.Profile{Stages: []load.Stage{{Shape: test.shape}}}.Plan()
			if plan[0].Requests != uint64(len(test.due)) {
				t.Errorf("planned %d", plan[0].Requests)
			}
		})
	}
}

// In binary, 0.29 times 100 is less than 29.
func TestRoundingCostsNoRequest(t *testing.T) {
	for _, s := range []load.Shape{load.Constant(100, 290*time.Millisecond), load.Ramp(100, 100, 290*time.Millisecond)} {
		if n := len(due(s)); n != 29 {
			t.Errorf("%s: %d requests", s, n)
		}
	}
}

// A constant rate is what users of vegeta know under that name.
func TestConstantIsVegetas(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rate := rapid.IntRange(1, 5000).Draw(rt, "rate")
		k := rapid.Uint64Range(0, 100_000).Draw(rt, "k")
		theirs, stop := vegeta.ConstantPacer{Freq: rate, Per: time.Second}.Pace(0, k)
		ours, ok := load.Constant(float64(rate), 1_000_000*time.Second).Due(k)
		// vegeta rounds the interval to whole nanoseconds, so that its schedule drifts by less than one per request.
		if drift := ours - theirs; stop || !ok || drift < -time.Microsecond || drift > time.Duration(k+1)+time.Microsecond {
			rt.Fatalf("request %d at %d/s: vegeta %v, here %v", k, rate, theirs, ours)
		}
	})
}

func TestPlan(t *testing.T) {
	p := profile(load.Stage{Name: "steady", Shape: load.Constant(200, 20*time.Second)},
		load.Stage{Name: "herd", Start: 3 * time.Second, Shape: load.Herd(1000, 0)})
	want := []evidence.Stage{{Name: "steady", Shape: "200/s for 20s", Requests: 4000},
		{Name: "herd", Shape: "1000 at once", Start: 3 * time.Second, Requests: 1000}}
	if got := p.Plan(); !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	if d := p.Duration(); d != 20*time.Second {
		t.Errorf("duration %v", d)
	}
	if text := load.Describe(p.Plan()); text != "steady (200/s for 20s), herd (1000 at once, from 3s)" {
		t.Errorf("%q", text)
	}
}

// The same seed plans the same requests with the same numbers and ids, whatever the timing; another seed others.
func TestSeedDecidesRequests(t *testing.T) {
	s := serve(t, answer(200, "", "ok"))
	random := func(k uint64, r *rand.Rand) load.Request {
		key := fmt.Sprint(k, "-", r.Uint64())
		return load.Request{Method: http.MethodPost, Path: "/", Body: []byte(key), Key: key}
	}
	plan := func(seed uint64, rate float64) (keys []string) {
		p := profile(load.Stage{Name: "a", Shape: load.Constant(rate, time.Duration(20/rate*float64(time.Second))), Request: random},
			load.Stage{Name: "b", Shape: load.Herd(20, time.Second), Request: random})
		for _, r := range runSeeded(t, t.Context(), p, s.url(), seed) {
			keys = append(keys, r.ID+" "+r.Stage+" "+r.Key)
		}
		return keys
	}
	first := plan(1, 100)
	if again := plan(1, 200); !slices.Equal(first, again) {
		t.Errorf("the same seed: %v and %v", first, again)
	}
	for i, other := range plan(2, 100) {
		if first[i] == other {
			t.Errorf("another seed, the same request %s", other)
		}
	}
}
