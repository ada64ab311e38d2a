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

func TestInFlight(t *testing.T) {
	b := newBuckets(0, 0, 100*time.Millisecond) // buckets of 10 ms
	at := func(ms int) time.Duration { return time.Duration(ms) * time.Millisecond }
	span := func(from, to time.Duration) evidence.Span { return evidence.Span{From: from, To: to} }
	for _, c := range []struct {
		name  string
		spans []evidence.Span
		want  []int
	}{
		{"none", nil, []int{0, 0, 0}},
		{"within a bucket", []evidence.Span{span(at(1), at(2))}, []int{1, 0, 0}},
		{"carried over", []evidence.Span{span(at(1), at(25))}, []int{1, 1, 1}},
		{"back to back is one", []evidence.Span{span(at(1), at(5)), span(at(5), at(9))}, []int{1, 0, 0}},
		{"overlap is two", []evidence.Span{span(at(1), at(6)), span(at(5), at(15))}, []int{2, 1, 0}},
		{"from before the first bucket", []evidence.Span{span(-at(50), at(5))}, []int{1, 0, 0}},
		{"never ended", []evidence.Span{span(at(15), evidence.Forever)}, []int{0, 1, 1}},
		{"before the first bucket", []evidence.Span{span(-at(50), -at(5)), span(-at(40), 0)}, []int{0, 0, 0}},
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
		var requests []evidence.Request
		for i := range rapid.IntRange(1, 50).Draw(t, "n") {
			due := offset.Draw(t, "due")
			requests = append(requests, evidence.Request{Seq: uint64(i), Due: due, Sent: due, End: due + offset.Draw(t, "took"),
				Outcome: rapid.SampledFrom(evidence.Outcomes()).Draw(t, "outcome")})
		}
		run := evidence.New(evidence.Plan{}, evidence.Requests.With(requests...),
			evidence.Windows.With(evidence.Window{Name: evidence.PhaseLoad, From: offset.Draw(t, "load"), To: 3 * time.Hour}))
		lane := Lane{"jobs", func(*evidence.Run) []evidence.Span {
			return []evidence.Span{{From: offset.Draw(t, "job"), To: evidence.Forever}}
		}}
		tl := newTimeline(run, []check.Fault{{Name: "f", Ordered: offset.Draw(t, "ordered")}}, []Lane{lane})
		counted := 0
		for _, l := range tl.Outcomes {
			if len(l.Counts) != len(tl.X) {
				t.Fatalf("%s has %d buckets of %d", l.Name, len(l.Counts), len(tl.X))
			}
			for _, n := range l.Counts {
				counted += n
			}
		}
		if counted != len(requests) {
			t.Fatalf("%d requests drawn, %d recorded", counted, len(requests))
		}
		for _, n := range []int{len(tl.Due), len(tl.Done), len(tl.P50), len(tl.P99), len(tl.Max), len(tl.InFlight[0].Counts), len(tl.InFlight[1].Counts)} {
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
		fault    check.Fault
		from, to float64
		open     bool
	}{
		{"confirmed", check.Fault{Ordered: second(1), Active: second(2), Healing: second(3), Healed: second(4)}, 2, 4, false},
		{"never seen", check.Fault{Ordered: second(1), Healing: second(3)}, 1, 3, false},
		{"never healed", check.Fault{Ordered: second(1), Active: second(2)}, 2, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := spanOf(c.fault, b)
			if got.From != c.from || (got.To == nil) != c.open || (got.To != nil && *got.To != c.to) {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestFaultLabel(t *testing.T) {
	for _, c := range []struct{ name, target, want string }{
		{"kill store-leader", "store-2", "kill store-leader (store-2)"},
		{"pause app-2", "app-2", "pause app-2"},
		{"cut off", "", "cut off"},
	} {
		if got := faultLabel(check.Fault{Name: c.name, Target: c.target}); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
