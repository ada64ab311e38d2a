package check_test

import (
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// availabilityCases are about requests that were dropped.
func availabilityCases() []verdictCase {
	dropped := check.NothingDropped()
	third := func(o evidence.Outcome, reason string, status int16) func(*history) {
		return func(h *history) { q := &h.requests[2]; q.Outcome, q.Reason, q.Status = o, reason, status }
	}
	late := requests(func(q *evidence.Request) { q.Sent += 30 * time.Millisecond })
	return []verdictCase{
		{"all answered", dropped, "", unchanged, check.Pass, "none of 7"},
		{"one failed", dropped, "", third(evidence.Failed, "status", 502), check.Fail, "1 failed (status 502)"},
		{"one lost", dropped, "", third(evidence.Ambiguous, "eof", 0), check.Fail, "1 ambiguous (eof)"},
		{"refused without leave", dropped, "", third(evidence.Refused, "", 503), check.Fail, "1 refused (503)"},
		{"refused for its rate", dropped, "", third(evidence.Refused, "", 429), check.Fail, "1 refused (429)"},
		{"refused for its rate, and late", dropped, "", both(third(evidence.Refused, "", 429), late), check.Unknown, "the load kept no schedule"},
		{"failed, and late", dropped, "", both(third(evidence.Failed, "status", 502), late), check.Fail, "1 failed"},
		{"aborted by the plan", dropped, "", third(evidence.Aborted, "left", 0), check.Pass, ""},
		{"unsent", dropped, "", third(evidence.Unsent, "", 0), check.Pass, ""},
		{"one not recorded", dropped, "", func(h *history) { h.requests = h.requests[:6] }, check.Unknown, "7 requests were planned and 6 are recorded"},
		{"one recorded twice", dropped, "", func(h *history) { h.requests[3] = h.requests[2] }, check.Unknown, "number 2 follows 3 others"},
		{"failed and one missing", dropped, "", func(h *history) { h.requests = h.requests[1:]; failed(&h.requests[0]) }, check.Fail, "1 of 7"},
		{"of no known outcome", dropped, "", third("fine", "", 200), check.Unknown, "1 recorded requests have no known outcome"},
		{"nothing sent", dropped, "", requests(func(q *evidence.Request) { q.Outcome = evidence.Unsent }), check.Unknown, "no request was answered at all"},
		{"nothing planned", dropped, "", func(h *history) { h.plan.Load = nil }, check.Unknown, "no requests were planned"},
	}
}

// refusals is a history of slow requests, one every 100 ms, of which those at the given places were refused.
func refusals(allow []evidence.Allowance, n int, at ...int) *history {
	h := scripted("")
	h.plan.Allow = allow
	h.plan.Load[0].Requests = uint64(n)
	h.requests = nil
	for i := range n {
		h.requests = append(h.requests, evidence.Request{Seq: uint64(i), Class: slow, Due: loadFrom + time.Duration(i)*100*time.Millisecond, Status: 200,
			Outcome: evidence.OK})
	}
	for _, i := range at {
		refused(&h.requests[i])
	}
	return h
}

func TestAllowedRefusals(t *testing.T) {
	allow := func(from, to time.Duration, share float64, classes ...string) []evidence.Allowance {
		return []evidence.Allowance{{From: from, To: to, Share: share, Classes: classes}}
	}
	firstSecond := allow(0, time.Second, 0.29, slow)
	isQuick := func(places ...int) func(*history) {
		return func(h *history) {
			for _, i := range places {
				h.requests[i].Class = quick
			}
		}
	}
	for _, c := range []struct {
		name    string
		h       *history
		alter   func(h *history)
		want    check.Status
		dropped float64
	}{
		{"within the share", refusals(firstSecond, 20, 3, 4), unchanged, check.Pass, 0},
		{"beyond the share", refusals(firstSecond, 20, 3, 4, 5), unchanged, check.Fail, 1},
		{"last in the window", refusals(firstSecond, 20, 9), unchanged, check.Pass, 0},
		{"after the window", refusals(firstSecond, 20, 10), unchanged, check.Fail, 1},
		{"the whole share", refusals(allow(0, 10*time.Second, 0.29, slow), 100, upTo(29)...), unchanged, check.Pass, 0},
		{"in one of two windows", refusals(append(allow(time.Second, 2*time.Second, 1, slow), firstSecond...), 20, 12, 13), unchanged, check.Pass, 0},
		{"of another class", refusals(firstSecond, 20, 3), isQuick(3), check.Fail, 1},
		{"of the share of another class", refusals(firstSecond, 20, 3, 4), isQuick(0, 1, 2, 5), check.Fail, 1},
		{"of one of two classes", refusals(allow(0, time.Second, 0.29, quick, slow), 20, 3, 4), isQuick(3), check.Pass, 0},
		{"of any class", refusals(allow(0, time.Second, 0.29), 20, 3, 4), isQuick(3), check.Pass, 0},
		{"of any class, beyond the share", refusals(allow(0, time.Second, 0.29), 20, 3, 4, 5), isQuick(3), check.Fail, 1},
		{"of any class, after the window", refusals(allow(0, time.Second, 1), 20, 13), isQuick(13), check.Fail, 1},
		{"of a class that nobody has", refusals(allow(0, time.Second, 1, "other"), 20, 3), unchanged, check.Unknown, 0},
		{"of a class that nobody has, beside one that some have", refusals(allow(0, time.Second, 1, slow, "slwo"), 20, 3), unchanged, check.Unknown, 0},
		{"of a class that nobody has, and one failed", refusals(allow(0, time.Second, 1, "other"), 20, 3), func(h *history) { failed(&h.requests[5]) }, check.Fail, 1},
		{"of a class that nobody has, and none refused", refusals(allow(0, time.Second, 1, "other"), 20), unchanged, check.Pass, 0},
		{"classes unknown", refusals(firstSecond, 20, 3), classesUnknown, check.Unknown, 0},
		{"start unknown", refusals(firstSecond, 20, 3), func(h *history) { h.windows = nil }, check.Unknown, 0},
		{"classes unknown but a failure", refusals(firstSecond, 20, 3), both(classesUnknown, func(h *history) { failed(&h.requests[5]) }), check.Fail, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.alter(c.h)
			v := check.NothingDropped().Judge(c.h.run())
			if v.Status != c.want || v.Figures["dropped"] != c.dropped {
				t.Errorf("%s with %v dropped: %s; want %s with %v", v.Status, v.Figures["dropped"], v.Reason, c.want, c.dropped)
			}
		})
	}
}

func upTo(n int) (all []int) {
	for i := range n {
		all = append(all, i)
	}
	return all
}
