package check_test

import (
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// refuse refuses a request, with that advice.
func refuse(q *evidence.Request, advice time.Duration) {
	refused(q)
	q.RetryAfter, q.End = advice, q.Sent+5*time.Millisecond
}

// backAfter refuses the first request with an advice of one second, and lets its client come again that long after it.
func (h *history) backAfter(d time.Duration) *evidence.Request {
	refuse(&h.requests[0], time.Second)
	again := &h.requests[3] // the same key
	takes := again.End - again.Due
	again.Due = h.requests[0].End + d
	again.Sent, again.End = again.Due, again.Due+takes
	return again
}

// retryAfterCases are about what refusals promise.
func retryAfterCases() []verdictCase {
	const second, pause = time.Second, evidence.FaultPause
	honest := check.RetryAfterHonest()
	advised := func(advice time.Duration) func(*history) {
		return func(h *history) { refuse(&h.requests[2], advice) }
	}
	inVain := func(h *history) { refuse(h.backAfter(second), second) }
	before := func(d time.Duration) func(*history) {
		return func(h *history) { h.injections[0].Ordered, h.injections[0].Healing = loadFrom-d, loadFrom-d }
	}
	return []verdictCase{
		{"in vain, but no key says that it is the same request", honest, "", func(h *history) {
			inVain(h)
			advised(second)(h)
			for i := range h.requests {
				h.requests[i].Key = ""
			}
		}, check.Pass, ""},
		{"advised one second", honest, "", advised(second), check.Pass, "1 refusals"},
		{"advised the most", honest, "", advised(5 * second), check.Pass, "within 5000 ms"},
		{"advised to come at once", honest, "", advised(0), check.Fail, "1 advised less than a second"},
		{"advised too much", honest, "", advised(6 * second), check.Fail, "1 advised more than 5s"},
		{"came back and was answered", honest, "", func(h *history) { h.backAfter(second) }, check.Pass, "1 who followed the advice"},
		{"came back in vain", honest, "", inVain, check.Fail, "1 were repeated to a client that had followed the advice"},
		{"another user came in vain", honest, "", both(inVain, func(h *history) { h.requests[3].User = "bob" }), check.Pass, "0 who followed"},
		{"came back too early", honest, "", func(h *history) { refuse(h.backAfter(second-1), second) }, check.Pass, "0 who followed"},
		{"came back, refused for another reason", honest, "", both(inVain, func(h *history) { h.requests[3].Status = 429 }), check.Pass, ""},
		{"came back in vain during a fault", honest, pause, both(inVain, before(4*second)), check.Pass, ""},
		{"came back in vain long after a fault", honest, pause, both(inVain, before(6*second)), check.Fail, "were repeated"},
		{"nobody refused", honest, "", unchanged, check.Unknown, "no request was refused"},
		{"no bound", honest, "", both(advised(second), drop(evidence.ParamRetryAfter)), check.Unknown, "retry_after"},
		{"no bound, yet at once", honest, "", both(advised(0), drop(evidence.ParamRetryAfter)), check.Fail, "less than a second"},
	}
}
