package check_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// overloaded is a service that answers a request each 100 ms, in 300 ms, and refuses the others: asked 10 times a second
// from 10 s on, 25 times a second from 16 s, 60 times from 20 s, and 10 times again from 24 s to 30 s. Quietly, every
// other request is quick.
func overloaded() *history {
	h := &history{}
	var free time.Duration
	for _, s := range []struct {
		name     string
		from, to time.Duration
		rate     int
	}{
		{"quiet", 10 * time.Second, 16 * time.Second, 10}, {"measured", 16 * time.Second, 20 * time.Second, 25},
		{"overload", 20 * time.Second, 24 * time.Second, 60}, {"quiet", 24 * time.Second, 30 * time.Second, 10},
	} {
		for i := range int((s.to - s.from).Seconds()) * s.rate {
			at := s.from + time.Duration(i)*time.Second/time.Duration(s.rate)
			n := uint64(len(h.requests))
			q := evidence.Request{Seq: n, ID: fmt.Sprint(n), Stage: s.name, Class: slow, Due: at, Sent: at, End: at + time.Millisecond,
				Status: 503, Outcome: evidence.Refused, RetryAfter: time.Second}
			switch {
			case s.name == "quiet" && i%2 == 0:
				q.Class = quick
				answered(&q)
			case at >= free:
				free = at + 100*time.Millisecond
				answered(&q)
				q.End = at + slowTakes
			}
			h.requests = append(h.requests, q)
		}
	}
	return h
}

// during alters the requests of a stage, and n tells which of them it is.
func during(stage string, alter func(n int, q *evidence.Request)) func(*history) {
	return func(h *history) {
		n := 0
		for i := range h.requests {
			if q := &h.requests[i]; q.Stage == stage {
				alter(n, q)
				n++
			}
		}
	}
}

// askedOneIn leaves one in n requests of the overload, each of which ends in its stage, and alters them.
func askedOneIn(n int, alter func(*evidence.Request)) func(*history) {
	return func(h *history) {
		i := 0
		h.requests = slices.DeleteFunc(h.requests, func(q evidence.Request) bool {
			if q.Stage == "overload" {
				i++
			}
			return q.Stage == "overload" && i%n != 0
		})
		during("overload", func(_ int, q *evidence.Request) { alter(q); q.End = q.Due + time.Millisecond })(h)
	}
}

type overloadCase struct {
	name   string
	check  check.Check
	alter  func(*history)
	want   check.Status
	reason string
}

func overloadCases() []overloadCase {
	goodput := check.GoodputHolds("measured", "overload", 5, 0.8)
	recovers := check.RecoversAfterStage("overload", "measured", 2*time.Second)
	some := func(one int) func(int, *evidence.Request) {
		return func(n int, q *evidence.Request) {
			if n%one == 0 {
				refused(q)
			}
		}
	}
	afterwards := func(from, to time.Duration, alter func(*evidence.Request)) func(*history) {
		return during("quiet", func(_ int, q *evidence.Request) {
			if q.Due >= from && q.Due < to {
				alter(q)
			}
		})
	}
	late := requests(func(q *evidence.Request) { q.Sent += 100 * time.Millisecond })
	return []overloadCase{
		{"sheds", goodput, unchanged, check.Pass, "it answered"},
		{"a tenth less", goodput, during("overload", some(10)), check.Pass, ""},
		{"collapses", goodput, during("overload", func(_ int, q *evidence.Request) { refused(q) }), check.Fail, "1 were answered"},
		{"answers when it is over", goodput, during("overload", func(_ int, q *evidence.Request) { q.End += 15 * time.Second }), check.Fail, "were answered"},
		{"could do more", goodput, during("measured", func(_ int, q *evidence.Request) { answered(q); q.End = q.Due + slowTakes }), check.Fail, "are wanted"},
		{"was not asked for more", check.GoodputHolds("quiet", "overload", 5, 0.8), func(h *history) {
			h.requests = h.requests[:60+100+240] // so that the quiet stage ends before
		}, check.Unknown, "capable of more"},
		{"too little was asked", check.GoodputHolds("measured", "overload", 8, 0.8), unchanged, check.Unknown, "not 8.0 times"},
		{"less was asked than it can give", goodput, askedOneIn(20, answered), check.Unknown, "not 5.0 times"},
		{"less was asked than it can give, and refused", goodput, askedOneIn(20, refused), check.Fail, "of 3 requests per second 0 were answered"},
		{"nothing was answered", goodput, func(h *history) {
			none := func(_ int, q *evidence.Request) { refused(q) }
			during("quiet", none)(h)
			during("measured", none)(h)
		}, check.Unknown, "nothing was answered"},
		{"no such stage", check.GoodputHolds("measured", "none", 5, 0.8), unchanged, check.Unknown, "must have requests"},
		{"late", goodput, late, check.Unknown, "kept no schedule"},

		{"recovers at once", recovers, unchanged, check.Pass, "after"},
		{"refuses for a second", recovers, afterwards(24*time.Second, 25*time.Second, refused), check.Pass, ""},
		{"refuses for three", recovers, afterwards(24*time.Second, 27*time.Second, refused), check.Fail, "2000 ms are allowed"},
		{"slow for three", recovers, afterwards(24*time.Second, 27*time.Second, func(q *evidence.Request) { q.End += time.Second }), check.Fail, "2000 ms are allowed"},
		{"nothing afterwards", recovers, func(h *history) { h.requests = h.requests[:60+100+240] }, check.Unknown, "no request was due"},
		{"nothing before", recovers, func(h *history) { h.requests = h.requests[60:] }, check.Unknown, "too few to tell"},
		{"no such stage", check.RecoversAfterStage("none", "measured", time.Second), unchanged, check.Unknown, "is recorded"},
	}
}

func (c overloadCase) run() *check.Run {
	h := overloaded()
	c.alter(h)
	return h.run()
}

func TestOverload(t *testing.T) {
	for _, c := range overloadCases() {
		t.Run(c.check.Name+"/"+c.name, func(t *testing.T) {
			v := c.check.Judge(c.run())
			if v.Status != c.want || !strings.Contains(v.Reason, c.reason) {
				t.Errorf("%s: %s %v; want %s: ...%s...", v.Status, v.Reason, v.Figures, c.want, c.reason)
			}
		})
	}
}
