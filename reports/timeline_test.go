package reports

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

func TestBucketStep(t *testing.T) {
	for _, c := range []struct{ span, want time.Duration }{
		{0, 10 * time.Millisecond},
		{2 * time.Second, 25 * time.Millisecond},
		{20 * time.Second, 250 * time.Millisecond},
		{time.Hour, time.Minute},
		{1000 * time.Hour, 9 * time.Hour},
	} {
		if got := bucketStep(c.span); got != c.want {
			t.Errorf("%s: %s, want %s", c.span, got, c.want)
		}
	}
}

func TestRankIsNearest(t *testing.T) {
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i + 1)
	}
	for _, c := range []struct {
		n, percent int
		want       time.Duration
	}{{1, 50, 1}, {1, 99, 1}, {2, 50, 1}, {2, 99, 2}, {100, 50, 50}, {100, 99, 99}, {3, 50, 2}} {
		if got := rank(hundred[:c.n], c.percent); got != c.want {
			t.Errorf("p%d of 1..%d: %d, want %d", c.percent, c.n, got, c.want)
		}
	}
}

func TestInFlight(t *testing.T) {
	b := newBuckets(0, 0, 100*time.Millisecond) // buckets of 10 ms
	at := func(ms int) time.Duration { return time.Duration(ms) * time.Millisecond }
	for _, c := range []struct {
		name  string
		spans []span
		want  []int
	}{
		{"none", nil, []int{0, 0, 0}},
		{"within a bucket", []span{{at(1), at(2)}}, []int{1, 0, 0}},
		{"carried over", []span{{at(1), at(25)}}, []int{1, 1, 1}},
		{"back to back is one", []span{{at(1), at(5)}, {at(5), at(9)}}, []int{1, 0, 0}},
		{"overlap is two", []span{{at(1), at(6)}, {at(5), at(15)}}, []int{2, 1, 0}},
		{"from before the first bucket", []span{{-at(50), at(5)}}, []int{1, 0, 0}},
		{"before the first bucket", []span{{-at(50), -at(5)}, {-at(40), 0}}, []int{0, 0, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := inFlight(c.spans, b)[:3]; !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

// TestTimelineLosesNothing: whatever the requests are, each is counted once, and every series is as long as the axis.
func TestTimelineLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		offset := rapid.Custom(func(t *rapid.T) time.Duration {
			return time.Duration(rapid.Int64Range(0, int64(2*time.Hour)).Draw(t, "ns"))
		})
		var calls []evidence.Call
		for i := range rapid.IntRange(1, 50).Draw(t, "n") {
			due := offset.Draw(t, "due")
			calls = append(calls, evidence.Call{Seq: uint64(i), Due: due, Sent: due, End: due + offset.Draw(t, "took"),
				Outcome: rapid.SampledFrom(evidence.Outcomes()).Draw(t, "outcome")})
		}
		run := evidence.New(evidence.Plan{}, evidence.Records{Calls: calls,
			Windows: []evidence.Window{{Name: evidence.PhaseLoad, From: offset.Draw(t, "load"), To: 3 * time.Hour}}})
		tl := newTimeline(run, []check.Certified{{Fault: "f", Ordered: offset.Draw(t, "ordered")}})
		counted := 0
		for _, l := range tl.Outcomes {
			if len(l.Counts) != len(tl.X) {
				t.Fatalf("%s has %d buckets of %d", l.Name, len(l.Counts), len(tl.X))
			}
			for _, n := range l.Counts {
				counted += n
			}
		}
		if counted != len(calls) {
			t.Fatalf("%d requests drawn, %d recorded", counted, len(calls))
		}
		for _, n := range []int{len(tl.Due), len(tl.Done), len(tl.P50), len(tl.P99), len(tl.Max), len(tl.Client), len(tl.Upstream)} {
			if n != len(tl.X) {
				t.Fatalf("a series of %d buckets on an axis of %d", n, len(tl.X))
			}
		}
		if len(tl.X) > maxBuckets+2 {
			t.Fatalf("%d buckets", len(tl.X))
		}
	})
}

func TestFaultSpan(t *testing.T) {
	b := buckets{zero: 10 * time.Second, step: time.Second, n: 10}
	second := func(n int) time.Duration { return time.Duration(10+n) * time.Second }
	for _, c := range []struct {
		name     string
		fault    check.Certified
		from, to float64
		open     bool
	}{
		{"certified", check.Certified{Ordered: second(1), Active: second(2), Healing: second(3), Healed: second(4)}, 2, 4, false},
		{"never seen", check.Certified{Ordered: second(1), Healing: second(3)}, 1, 3, false},
		{"never healed", check.Certified{Ordered: second(1), Active: second(2)}, 2, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := spanOf(c.fault, b)
			if got.From != c.from || (got.To == nil) != c.open || (got.To != nil && *got.To != c.to) {
				t.Errorf("%+v", got)
			}
		})
	}
}
