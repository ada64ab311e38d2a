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
)

// gate is a token bucket that lets requests through as a service does.
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

// flooded is a load of 4 requests/s of bob from 10 s to 30 s, and 60 requests/s of ann from 15 s to 25 s through gates
// that take turns, one for each replica, or the same one if they share it. The warm-up ended at 9 s.
func flooded(gates ...*gate) *history {
	h := &history{plan: evidence.Plan{Params: map[string]time.Duration{evidence.ParamTokenEvery: tokenEvery, evidence.ParamBucketFill: bucketFill}},
		windows: []evidence.Window{{Name: evidence.PhaseBaseline, From: 9 * time.Second, To: loadFrom}}}
	for at := 10 * time.Second; at < 30*time.Second; at += 250 * time.Millisecond {
		h.request("steady", "bob", at, true)
	}
	for i := range 600 {
		at := floodFrom + time.Duration(i)*time.Second/60
		h.request("flood", "ann", at, gates[i%len(gates)].admits(at+time.Millisecond))
	}
	h.inOrder()
	return h
}

func (h *history) request(stage, user string, at time.Duration, admitted bool) {
	q := evidence.Request{ID: fmt.Sprint(stage, at), Stage: stage, User: user, Due: at, Sent: at, End: at + quickTakes, Status: 200, Outcome: evidence.OK}
	if !admitted {
		limited(&q)
	}
	h.requests = append(h.requests, q)
}

func limited(q *evidence.Request) {
	q.Outcome, q.Status, q.RetryAfter = evidence.Refused, 429, time.Second
}

// each alters the requests of a stage that came to that end, and stops when alter has had enough.
func each(h *history, stage string, outcome evidence.Outcome, alter func(*evidence.Request) bool) {
	for i := range h.requests {
		if q := &h.requests[i]; q.Stage == stage && q.Outcome == outcome && !alter(q) {
			return
		}
	}
}

func first(n int, alter func(*evidence.Request)) func(*evidence.Request) bool {
	return func(q *evidence.Request) bool {
		alter(q)
		n--
		return n > 0
	}
}

func all(alter func(*evidence.Request)) func(*evidence.Request) bool {
	return func(q *evidence.Request) bool { alter(q); return true }
}

// limitCase is a flood at some gates, and what LimitHolds must make of it.
type limitCase struct {
	name     string
	gates    []*gate
	alter    func(h *history)
	admitted func(*check.Run) []time.Duration
	want     check.Status
	reason   string
}

func (c limitCase) check() check.Check { return check.LimitHolds("flood", c.admitted) }

func (c limitCase) run() *check.Run {
	for _, g := range c.gates {
		g.credit, g.last = g.fill, 0
	}
	h := flooded(c.gates...)
	c.alter(h)
	return h.run()
}

// soonAdmitted knows of each request that it had been admitted 3 ms after it was sent.
func soonAdmitted(r *check.Run) (latest []time.Duration) {
	for _, q := range evidence.Requests.Each(r.Run) {
		latest = append(latest, q.Sent+3*time.Millisecond)
	}
	return latest
}

// usedBefore has the flood's user ask before the flood, and have the answer at once.
func usedBefore(by time.Duration) func(*history) {
	return func(h *history) {
		h.request("steady", "ann", floodFrom-by, true)
		q := &h.requests[len(h.requests)-1]
		q.End = q.Sent
		h.inOrder()
	}
}

// second has the flood's user ask by another credential before and during the flood, and be refused once in it.
func second(refused bool) func(*history) {
	return func(h *history) {
		for at := floodFrom - time.Second; at < floodFrom+2*time.Second; at += 100 * time.Millisecond {
			h.request("steady", "ann", at, !refused || at != floodFrom)
			h.requests[len(h.requests)-1].Credential = "ann-2"
		}
		h.inOrder()
	}
}

func warmUntil(at time.Duration) func(*history) {
	return func(h *history) { h.windows[0].From = at }
}

func limitCases() []limitCase {
	shared := func(rate, burst float64) []*gate {
		every := time.Duration(float64(time.Second) / rate)
		return []*gate{newGate(every, time.Duration(burst*float64(every)))}
	}
	right := shared(20, 40)
	perReplica := []*gate{newGate(tokenEvery, bucketFill), newGate(tokenEvery, bucketFill), newGate(tokenEvery, bucketFill)}
	altered := func(stage string, outcome evidence.Outcome, alter func(*evidence.Request) bool) func(*history) {
		return func(h *history) { each(h, stage, outcome, alter) }
	}
	answeredLate := altered("flood", evidence.OK, all(delayed(20*time.Second)))
	anothers := altered("flood", evidence.OK, first(1, func(q *evidence.Request) { q.User = "bob" }))
	withoutRefused := func(h *history) {
		h.requests = slices.DeleteFunc(h.requests, func(q evidence.Request) bool { return q.Outcome == evidence.Refused })
	}
	return []limitCase{
		{"holds", right, unchanged, nil, check.Pass, "239 of 600 requests of the flood were admitted, where one bucket admits 239"},
		{"a bucket per replica", perReplica, unchanged, nil, check.Fail, "of what the limit allows was admitted"},
		{"no limit", shared(1e6, 1e6), unchanged, nil, check.Fail, "of what the limit allows was admitted"},
		{"rate 0.5 % too high", shared(20.1, 40), unchanged, nil, check.Pass, ""},
		{"rate 3 % too high", shared(20.6, 40), unchanged, nil, check.Fail, "% of what the limit allows"},
		{"burst too large", shared(20, 41.6), unchanged, nil, check.Fail, "% of what the limit allows"},
		{"rate 3 % too low", shared(19.4, 40), unchanged, nil, check.Fail, "requests of the flood were admitted, and the limit allows"},
		{"burst too small", shared(20, 36), unchanged, nil, check.Fail, "and the limit allows"},
		{"a tenth of the flood refused anyhow", right, altered("flood", evidence.OK, first(24, limited)), nil, check.Fail, "and the limit allows"},
		{"a burst in the middle", right, altered("flood", evidence.Refused, func(q *evidence.Request) bool {
			if q.Due > 20*time.Second {
				answered(q)
			}
			return q.Due < 20*time.Second+1600*time.Millisecond
		}), nil, check.Fail, "% of what the limit allows"},
		{"another user above the limit", right, func(h *history) {
			for i := range 60 {
				h.request("steady", "bob", 12*time.Second+time.Duration(i), true)
			}
		}, nil, check.Fail, "% of what the limit allows"},
		{"another user refused for the limit", right, altered("steady", evidence.OK, first(1, limited)), nil, check.Fail, "1 requests were refused that did not come by"},
		{"another user refused otherwise", right, altered("steady", evidence.OK, first(2, refused)), nil, check.Fail, "2 requests were refused that did not come by"},
		{"another user refused, bucket in use before", right, both(altered("steady", evidence.OK, first(1, limited)), warmUntil(floodFrom-1)), nil,
			check.Fail, "1 requests were refused that did not come by"},
		{"another credential of the flood's user", right, second(false), nil, check.Pass, "239 of 600"},
		{"another credential of the flood's user, refused", right, second(true), nil, check.Fail, "1 requests were refused that did not come by"},
		{"two credentials of one user flood", right, both(withoutRefused, altered("flood", evidence.OK, first(1, func(q *evidence.Request) { q.Credential = "ann-2" }))), nil,
			check.Unknown, "by more than one credential"},
		{"told to come too late", right, altered("flood", evidence.Refused, first(1, func(q *evidence.Request) { q.RetryAfter = 2 * time.Second })), nil,
			check.Fail, "1 refusals told the client a wrong time"},
		{"told to come at once", right, altered("flood", evidence.Refused, first(3, func(q *evidence.Request) { q.RetryAfter = 0 })), nil,
			check.Fail, "3 refusals told the client a wrong time"},
		{"admitted too many, answered late", perReplica, answeredLate, soonAdmitted, check.Fail, "% of what the limit allows"},
		{"admitted too many, when is not known", perReplica, answeredLate, nil, check.Pass, ""},
		{"admitted when is not known", right, answeredLate, nil, check.Pass, ""},
		{"aborted requests may have been admitted", right,
			altered("flood", evidence.OK, first(12, func(q *evidence.Request) { q.Outcome, q.Status = evidence.Aborted, 0 })), nil, check.Unknown,
			"227 requests of the flood were answered, where one bucket admits 239, and of 12 more nobody knows"},
		{"too few, even with those that may have been admitted", right, both(altered("flood", evidence.OK, first(24, limited)),
			altered("flood", evidence.OK, first(12, func(q *evidence.Request) { q.Outcome, q.Status = evidence.Ambiguous, 0 }))), nil, check.Fail, "and the limit allows"},
		{"a tenth of the flood refused for another reason", right, altered("flood", evidence.OK, first(24, refused)), nil, check.Fail,
			"215 requests of the flood were admitted, and the limit allows 239"},
		{"a tenth of the flood failed", right, altered("flood", evidence.OK, first(24, func(q *evidence.Request) { q.Outcome, q.Status = evidence.Failed, 500 })), nil,
			check.Fail, "215 requests of the flood were admitted"},
		{"all others refused for another reason", right, altered("flood", evidence.Refused, all(refused)), nil, check.Pass, "239 of 600"},
		{"no rate", right, drop(evidence.ParamTokenEvery), nil, check.Unknown, "lacks a rate limit"},
		{"no burst", right, drop(evidence.ParamBucketFill), nil, check.Unknown, "lacks a rate limit"},
		{"no flood", right, requests(func(q *evidence.Request) { q.Stage = "other" }), nil, check.Unknown, "no request of stage flood"},
		{"a flood that a bucket holds", right, withoutRefused, nil, check.Unknown, "was no flood"},
		{"bucket in use before", right, usedBefore(bucketFill), nil, check.Unknown, "need not have been full"},
		{"bucket in use long before", right, usedBefore(bucketFill + 1), nil, check.Pass, ""},
		{"warm-up until shortly before", right, warmUntil(floodFrom - bucketFill), nil, check.Unknown, "need not have been full"},
		{"warm-up until long before", right, warmUntil(floodFrom - bucketFill - 1), nil, check.Pass, ""},
		{"warm-up until nobody knows when", right, func(h *history) { h.windows = nil }, nil, check.Unknown, "need not have been full"},
		{"two users flood", right, both(anothers, altered("flood", evidence.Refused, all(answered))), nil, check.Fail, "% of what the limit allows"},
		{"two users flood, and nothing else is wrong", right, both(withoutRefused, anothers), nil, check.Unknown, "by more than one credential"},
	}
}

func TestLimitHolds(t *testing.T) {
	for _, test := range limitCases() {
		t.Run(test.name, func(t *testing.T) {
			v := test.check().Judge(test.run())
			if v.Status != test.want || !strings.Contains(v.Reason, test.reason) {
				t.Errorf("%s: %s %v; want %s: %s", v.Status, v.Reason, v.Figures, test.want, test.reason)
			}
			if v.Status == check.Fail && strings.Contains(v.Reason, "% of what") && len(v.Requests) == 0 {
				t.Error("names no request")
			}
		})
	}
}

// across has cho flood from 16 s to 20 s, through one gate and from 18 s on through another one.
func across(first, then *gate) func(*history) {
	return func(h *history) {
		for i := range 240 {
			at, g := 16*time.Second+time.Duration(i)*time.Second/60, first
			if at >= 18*time.Second {
				g = then
			}
			h.request("across", "cho", at, g.admits(at+time.Millisecond))
		}
		h.inOrder()
	}
}

// TestFurtherFloods: a flood whose limit changes hands gets no second burst, and a few tokens more where that is allowed.
func TestFurtherFloods(t *testing.T) {
	left := func(tokens time.Duration) *gate {
		return &gate{every: tokenEvery, fill: bucketFill, credit: tokens * tokenEvery, last: 18 * time.Second}
	}
	for _, c := range []struct {
		name, stage string
		over        float64
		then        *gate
		want        check.Status
		reason      string
	}{
		{"what was used is used", "across", 0.5, left(0), check.Pass, "239 of 600"},
		{"a few tokens more", "across", 0.5, left(10), check.Pass, "239 of 600"},
		{"a few tokens more than none", "across", 0, left(10), check.Fail, "% of what the limit allows"},
		{"the whole burst again", "across", 0.5, left(40), check.Fail, "% of what the limit allows"},
		{"no such flood", "flood at night", 0.5, left(0), check.Unknown, "nothing of stage flood at night was refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := flooded(newGate(tokenEvery, bucketFill))
			across(newGate(tokenEvery, bucketFill), c.then)(h)
			v := check.LimitHolds("flood", nil, check.Flood{Stage: c.stage, Over: c.over}).Judge(h.run())
			if v.Status != c.want || !strings.Contains(v.Reason, c.reason) {
				t.Errorf("%s: %s %v; want %s: %s", v.Status, v.Reason, v.Figures, c.want, c.reason)
			}
		})
	}
}
