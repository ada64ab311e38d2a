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
// other request is a hit.
func overloaded() *history {
	h := &history{plan: evidence.Plan{Params: map[string]time.Duration{evidence.ParamLifetime: ttl}}}
	h.Upstream = []evidence.Upstream{{ID: "llm-hot", Key: "hot", N: 1, Arrived: 4 * time.Second, Ended: 5 * time.Second, Outcome: evidence.UpstreamOK, Billed: true}}
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
			n := uint64(len(h.Calls))
			c := evidence.Call{Seq: n, ID: fmt.Sprint(n), Stage: s.name, Key: fmt.Sprint("cold-", n), Due: at, Sent: at, End: at + time.Millisecond,
				Status: 503, Outcome: evidence.Refused, RetryAfter: time.Second}
			switch {
			case s.name == "quiet" && i%2 == 0:
				c.Key, c.Status, c.Outcome, c.RetryAfter = "hot", 200, evidence.OK, 0
			case at >= free:
				free = at + 100*time.Millisecond
				c.End, c.Status, c.Outcome, c.RetryAfter = at+llmTakes, 200, evidence.OK, 0
			}
			h.Calls = append(h.Calls, c)
		}
	}
	return h
}

// during alters the requests of a stage, and n tells which of them it is.
func during(stage string, alter func(n int, c *evidence.Call)) func(*history) {
	return func(h *history) {
		n := 0
		for i := range h.Calls {
			if c := &h.Calls[i]; c.Stage == stage {
				alter(n, c)
				n++
			}
		}
	}
}

// askedOneIn leaves one in n requests of the overload, each of which ends in its stage, and alters them.
func askedOneIn(n int, alter func(*evidence.Call)) func(*history) {
	return func(h *history) {
		i := 0
		h.Calls = slices.DeleteFunc(h.Calls, func(c evidence.Call) bool {
			if c.Stage == "overload" {
				i++
			}
			return c.Stage == "overload" && i%n != 0
		})
		during("overload", func(_ int, c *evidence.Call) { alter(c); c.End = c.Due + time.Millisecond })(h)
	}
}

func answer(c *evidence.Call) { c.Outcome, c.Status, c.RetryAfter = evidence.OK, 200, 0 }

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
	unchanged := func(*history) {}
	some := func(one int) func(int, *evidence.Call) {
		return func(n int, c *evidence.Call) {
			if n%one == 0 {
				refused(c)
			}
		}
	}
	afterwards := func(from, to time.Duration, alter func(*evidence.Call)) func(*history) {
		return during("quiet", func(_ int, c *evidence.Call) {
			if c.Due >= from && c.Due < to {
				alter(c)
			}
		})
	}
	late := func(h *history) {
		for i := range h.Calls {
			h.Calls[i].Sent += 100 * time.Millisecond
		}
	}
	return []overloadCase{
		{"sheds", goodput, unchanged, check.Pass, "it answered"},
		{"a tenth less", goodput, during("overload", some(10)), check.Pass, ""},
		{"collapses", goodput, during("overload", func(_ int, c *evidence.Call) { refused(c) }), check.Fail, "1 were answered"},
		{"answers when it is over", goodput, during("overload", func(_ int, c *evidence.Call) { c.End += 15 * time.Second }), check.Fail, "were answered"},
		{"could do more", goodput, during("measured", func(_ int, c *evidence.Call) { answer(c); c.End = c.Due + llmTakes }), check.Fail, "are wanted"},
		{"was not asked for more", check.GoodputHolds("quiet", "overload", 5, 0.8), func(h *history) {
			h.Calls = h.Calls[:60+100+240] // so that the quiet stage ends before
		}, check.Unknown, "capable of more"},
		{"too little was asked", check.GoodputHolds("measured", "overload", 8, 0.8), unchanged, check.Unknown, "not 8.0 times"},
		{"less was asked than it can give", goodput, askedOneIn(20, answer), check.Unknown, "not 5.0 times"},
		{"less was asked than it can give, and refused", goodput, askedOneIn(20, refused), check.Fail, "of 3 requests per second 0 were answered"},
		{"nothing was answered", goodput, func(h *history) {
			none := func(_ int, c *evidence.Call) { refused(c) }
			during("quiet", none)(h)
			during("measured", none)(h)
		}, check.Unknown, "nothing was answered"},
		{"no such stage", check.GoodputHolds("measured", "none", 5, 0.8), unchanged, check.Unknown, "must have requests"},
		{"late", goodput, late, check.Unknown, "kept no schedule"},

		{"recovers at once", recovers, unchanged, check.Pass, "after"},
		{"refuses for a second", recovers, afterwards(24*time.Second, 25*time.Second, refused), check.Pass, ""},
		{"refuses for three", recovers, afterwards(24*time.Second, 27*time.Second, refused), check.Fail, "2000 ms are allowed"},
		{"slow for three", recovers, afterwards(24*time.Second, 27*time.Second, func(c *evidence.Call) { c.End += time.Second }), check.Fail, "2000 ms are allowed"},
		{"nothing afterwards", recovers, func(h *history) { h.Calls = h.Calls[:60+100+240] }, check.Unknown, "no request was due"},
		{"nothing before", recovers, func(h *history) { h.Calls = h.Calls[60:] }, check.Unknown, "too few to tell"},
		{"no such stage", check.RecoversAfterStage("none", "measured", time.Second), unchanged, check.Unknown, "is recorded"},
	}
}

func (c overloadCase) run() *evidence.Run {
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
