package check_test

import (
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// refusals is a history of misses, one every 100 ms, of which those at the given places were refused.
func refusals(allow []evidence.Allowance, n int, refused ...int) *history {
	h := scripted("")
	h.plan.Allow = allow
	h.plan.Load[0].Requests = uint64(n)
	h.Calls = nil
	for i := range n {
		h.Calls = append(h.Calls, evidence.Call{Seq: uint64(i), Key: "cold", Due: loadFrom + time.Duration(i)*100*time.Millisecond, Status: 200, Outcome: evidence.OK})
	}
	for _, i := range refused {
		h.Calls[i].Outcome, h.Calls[i].Status = evidence.Refused, 503
	}
	return h
}

func TestAllowedRefusals(t *testing.T) {
	firstSecond := []evidence.Allowance{{From: 0, To: time.Second, Share: 0.29}}
	for _, c := range []struct {
		name    string
		h       *history
		alter   func(h *history)
		want    check.Status
		dropped float64
	}{
		{"within the share", refusals(firstSecond, 20, 3, 4), nil, check.Pass, 0},
		{"beyond the share", refusals(firstSecond, 20, 3, 4, 5), nil, check.Fail, 1},
		{"last in the window", refusals(firstSecond, 20, 9), nil, check.Pass, 0},
		{"after the window", refusals(firstSecond, 20, 10), nil, check.Fail, 1},
		{"the whole share", refusals([]evidence.Allowance{{To: 10 * time.Second, Share: 0.29}}, 100, seq(29)...), nil, check.Pass, 0},
		{"in one of two windows", refusals(append(firstSecond, evidence.Allowance{From: time.Second, To: 2 * time.Second, Share: 1}), 20, 12, 13), nil, check.Pass, 0},
		{"a hit", refusals(firstSecond, 20, 3), func(h *history) { h.Calls[3].Key = keyOf("acme", 90) }, check.Fail, 1},
		{"a hit where hits are allowed for", refusals([]evidence.Allowance{{To: time.Second, Share: 0.29, Hits: true}}, 20, 3, 4), func(h *history) { h.Calls[3].Key = keyOf("acme", 90) }, check.Pass, 0},
		{"hits beyond the share", refusals([]evidence.Allowance{{To: time.Second, Share: 0.29, Hits: true}}, 20, 3, 4, 5), func(h *history) { h.Calls[3].Key = keyOf("acme", 90) }, check.Fail, 1},
		{"a hit after the window", refusals([]evidence.Allowance{{To: time.Second, Share: 1, Hits: true}}, 20, 13), func(h *history) { h.Calls[13].Key = keyOf("acme", 90) }, check.Fail, 1},
		{"a hit expired", refusals(firstSecond, 20, 3), func(h *history) {
			h.Calls[3].Key = keyOf("acme", 90)
			h.plan.Params[evidence.ParamLifetime] = 2 * time.Second
		}, check.Pass, 0},
		{"hits unknown", refusals(firstSecond, 20, 3), drop(evidence.ParamLifetime), check.Unknown, 1},
		{"ledger missing", refusals(firstSecond, 20, 3), func(h *history) { h.Upstream = nil }, check.Unknown, 1},
		{"start unknown", refusals(firstSecond, 20, 3), func(h *history) { h.Windows = nil }, check.Unknown, 1},
		{"hits unknown but a failure", refusals(firstSecond, 20, 3), func(h *history) {
			delete(h.plan.Params, evidence.ParamLifetime)
			h.Calls[5].Outcome = evidence.Failed
		}, check.Fail, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.alter != nil {
				c.alter(c.h)
			}
			v := check.NothingDropped().Judge(c.h.run())
			if v.Status != c.want || v.Figures["dropped"] != c.dropped {
				t.Errorf("%s with %v dropped: %s; want %s with %v", v.Status, v.Figures["dropped"], v.Reason, c.want, c.dropped)
			}
		})
	}
}

func seq(n int) (all []int) {
	for i := range n {
		all = append(all, i)
	}
	return all
}
