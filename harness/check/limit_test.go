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

// The limit of these histories is 20 requests/s and a burst of 40, in the names of the plan.
const (
	tokenEvery = 50 * time.Millisecond
	bucketFill = 2 * time.Second
	floodFrom  = 15 * time.Second
	tookHit    = 4 * time.Millisecond
)

// gate is a token bucket that lets requests through as a gateway does.
type gate struct {
	every, fill  time.Duration
	credit, last time.Duration
}

func newGate(every, fill time.Duration) *gate { return &gate{every: every, fill: fill, credit: fill} }

func (g *gate) admits(at time.Duration) bool {
	g.credit = min(g.fill, g.credit+at-g.last)
	g.last = at
	if g.credit < g.every {
		return false
	}
	g.credit -= g.every
	return true
}

// flooded is a load of 4 requests/s of globex from 10 s to 30 s, and 60 requests/s of acme from 15 s to 25 s through gates
// that take turns, one for each replica, or the same one if they share it.
func flooded(gates ...*gate) *history {
	h := &history{plan: evidence.Plan{Params: map[string]time.Duration{evidence.ParamTokenEvery: tokenEvery, evidence.ParamBucketFill: bucketFill}}}
	for at := 10 * time.Second; at < 30*time.Second; at += 250 * time.Millisecond {
		h.request("steady", "globex", at, true)
	}
	for i := range 600 {
		at := floodFrom + time.Duration(i)*time.Second/60
		h.request("flood", "acme", at, gates[i%len(gates)].admits(at+time.Millisecond))
	}
	h.inOrder()
	return h
}

func (h *history) request(stage, tenant string, at time.Duration, admitted bool) {
	c := evidence.Call{ID: fmt.Sprint(stage, at), Stage: stage, Tenant: tenant, Key: "k", Due: at, Sent: at, End: at + tookHit, Status: 200, Outcome: evidence.OK}
	if !admitted {
		c.Outcome, c.Status, c.RetryAfter = evidence.Refused, 429, time.Second
	}
	h.Calls = append(h.Calls, c)
	if admitted {
		h.Rows = append(h.Rows, evidence.Row{ID: c.ID, RequestID: c.ID, Tenant: tenant, At: at + time.Millisecond})
	}
}

// each alters the requests of a stage that came to that end, and stops when alter has had enough.
func each(h *history, stage string, outcome evidence.Outcome, alter func(*evidence.Call) bool) {
	for i := range h.Calls {
		if c := &h.Calls[i]; c.Stage == stage && c.Outcome == outcome && !alter(c) {
			return
		}
	}
}

func first(n int, alter func(*evidence.Call)) func(*evidence.Call) bool {
	return func(c *evidence.Call) bool {
		alter(c)
		n--
		return n > 0
	}
}

func all(alter func(*evidence.Call)) func(*evidence.Call) bool {
	return func(c *evidence.Call) bool { alter(c); return true }
}

// limitCase is a flood at some gates, and what LimitHolds must make of it.
type limitCase struct {
	name   string
	gates  []*gate
	alter  func(h *history)
	want   check.Status
	reason string
}

func limitCases() []limitCase {
	shared := func(rate, burst float64) []*gate {
		every := time.Duration(float64(time.Second) / rate)
		return []*gate{newGate(every, time.Duration(burst*float64(every)))}
	}
	right := shared(20, 40)
	perReplica := []*gate{newGate(tokenEvery, bucketFill), newGate(tokenEvery, bucketFill), newGate(tokenEvery, bucketFill)}
	refuse := func(c *evidence.Call) { c.Outcome, c.Status, c.RetryAfter = evidence.Refused, 429, time.Second }
	answer := func(c *evidence.Call) { c.Outcome, c.Status, c.RetryAfter = evidence.OK, 200, 0 }
	return []limitCase{
		{"holds", right, nil, check.Pass, "239 of 600 requests of the flood were admitted, where one bucket admits 239"},
		{"a bucket per replica", perReplica, nil, check.Fail, "of what the limit allows was admitted"},
		{"no limit", shared(1e6, 1e6), nil, check.Fail, "of what the limit allows was admitted"},
		{"rate 0.5 % too high", shared(20.1, 40), nil, check.Pass, ""},
		{"rate 3 % too high", shared(20.6, 40), nil, check.Fail, "% of what the limit allows"},
		{"burst too large", shared(20, 41.6), nil, check.Fail, "% of what the limit allows"},
		{"rate 3 % too low", shared(19.4, 40), nil, check.Fail, "requests of the flood were admitted, and the limit allows"},
		{"burst too small", shared(20, 36), nil, check.Fail, "and the limit allows"},
		{"a tenth of the flood refused anyhow", right, func(h *history) { each(h, "flood", evidence.OK, first(24, refuse)) }, check.Fail, "and the limit allows"},
		{"a burst in the middle", right, func(h *history) {
			each(h, "flood", evidence.Refused, func(c *evidence.Call) bool {
				if c.Due > 20*time.Second {
					answer(c)
				}
				return c.Due < 20*time.Second+1600*time.Millisecond
			})
		}, check.Fail, "% of what the limit allows"},
		{"another tenant above the limit", right, func(h *history) {
			for i := range 60 {
				h.request("steady", "globex", 12*time.Second+time.Duration(i), true)
			}
		}, check.Fail, "% of what the limit allows"},
		{"another tenant refused for the limit", right, func(h *history) { each(h, "steady", evidence.OK, first(1, refuse)) }, check.Fail, "1 requests were refused that were none"},
		{"another tenant refused otherwise", right, func(h *history) {
			each(h, "steady", evidence.OK, first(2, func(c *evidence.Call) { c.Outcome, c.Status = evidence.Refused, 503 }))
		}, check.Fail, "2 requests were refused that were none"},
		{"told to come too late", right, func(h *history) {
			each(h, "flood", evidence.Refused, first(1, func(c *evidence.Call) { c.RetryAfter = 2 * time.Second }))
		}, check.Fail, "1 refusals told the client a wrong time"},
		{"told to come at once", right, func(h *history) {
			each(h, "flood", evidence.Refused, first(3, func(c *evidence.Call) { c.RetryAfter = 0 }))
		}, check.Fail, "3 refusals told the client a wrong time"},
		{"admitted too many, answered late", perReplica, func(h *history) {
			each(h, "flood", evidence.OK, all(func(c *evidence.Call) {
				h.Upstream = append(h.Upstream, evidence.Upstream{ID: c.ID, RequestID: c.ID, Arrived: c.Sent + 3*time.Millisecond})
				c.End += 20 * time.Second
			}))
		}, check.Fail, "% of what the limit allows"},
		{"admitted when is not known", right, func(h *history) {
			each(h, "flood", evidence.OK, all(func(c *evidence.Call) { c.End += 20 * time.Second }))
		}, check.Pass, ""},
		{"aborted requests may have been admitted", right, func(h *history) {
			each(h, "flood", evidence.OK, first(12, func(c *evidence.Call) { c.Outcome, c.Status = evidence.Aborted, 0 }))
		}, check.Pass, ""},
		{"no rate", right, drop(evidence.ParamTokenEvery), check.Unknown, "lacks a rate limit"},
		{"no burst", right, drop(evidence.ParamBucketFill), check.Unknown, "lacks a rate limit"},
		{"no flood", right, func(h *history) {
			each(h, "flood", evidence.OK, all(func(c *evidence.Call) { c.Stage = "other" }))
			h.unstage("flood")
		}, check.Unknown, "no request of stage flood"},
		{"a flood that a bucket holds", right, func(h *history) {
			h.Calls = slices.DeleteFunc(h.Calls, func(c evidence.Call) bool { return c.Outcome == evidence.Refused })
		}, check.Unknown, "was no flood"},
		{"bucket in use before", right, func(h *history) {
			h.Rows = append(h.Rows, evidence.Row{ID: "w", RequestID: "warm-1-1", Tenant: "acme", At: floodFrom - bucketFill})
		}, check.Unknown, "need not have been full"},
		{"bucket in use long before", right, func(h *history) {
			h.Rows = append(h.Rows, evidence.Row{ID: "w", RequestID: "warm-1-1", Tenant: "acme", At: floodFrom - bucketFill - 1})
		}, check.Pass, ""},
		{"two keys flood", right, func(h *history) {
			each(h, "flood", evidence.OK, first(1, func(c *evidence.Call) { c.Tenant = "globex" }))
			each(h, "flood", evidence.Refused, all(answer))
		}, check.Fail, "% of what the limit allows"},
		{"two keys flood, and nothing else is wrong", right, func(h *history) {
			n := 0
			h.Calls = slices.DeleteFunc(h.Calls, func(c evidence.Call) bool { n++; return c.Outcome == evidence.Refused })
			each(h, "flood", evidence.OK, first(1, func(c *evidence.Call) { c.Tenant = "globex" }))
		}, check.Unknown, "more than one key"},
	}
}

func (c limitCase) run() *evidence.Run {
	for _, g := range c.gates {
		g.credit, g.last = g.fill, 0
	}
	h := flooded(c.gates...)
	if c.alter != nil {
		c.alter(h)
	}
	return h.run()
}

func TestLimitHolds(t *testing.T) {
	for _, test := range limitCases() {
		t.Run(test.name, func(t *testing.T) {
			v := check.LimitHolds("flood").Judge(test.run())
			if v.Status != test.want || !strings.Contains(v.Reason, test.reason) {
				t.Errorf("%s: %s %v; want %s: %s", v.Status, v.Reason, v.Figures, test.want, test.reason)
			}
			if v.Status == check.Fail && strings.Contains(v.Reason, "% of what") && len(v.Calls) == 0 {
				t.Error("names no request")
			}
		})
	}
}

// unstage renames a stage.
func (h *history) unstage(stage string) {
	for i := range h.Calls {
		if h.Calls[i].Stage == stage {
			h.Calls[i].Stage = "other"
		}
	}
}
