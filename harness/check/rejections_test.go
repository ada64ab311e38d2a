package check_test

import (
	"net/http"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// rejectionCases are about requests that must not be served.
func rejectionCases() []verdictCase {
	rejections := check.BadRequestsRejected()
	// bad makes a request one that must be rejected as unauthorised, and gives it that response.
	bad := func(place int, o evidence.Outcome, reason string, status int16) func(*history) {
		return func(h *history) {
			q := &h.requests[place]
			q.Want, q.Outcome, q.Reason, q.Status = http.StatusUnauthorized, o, reason, status
		}
	}
	one := bad(2, evidence.Rejected, "", 401)
	return []verdictCase{
		{"rejected", rejections, "", one, check.Pass, "all of 1 requests"},
		{"served", rejections, "", both(one, bad(3, evidence.Failed, "status", 200)), check.Fail, "1 got 200 rather than 401"},
		{"broken by it", rejections, "", both(one, bad(3, evidence.Failed, "status", 500)), check.Fail, "1 got 500 rather than 401"},
		{"rejected in another form", rejections, "", both(one, bad(3, evidence.Failed, "malformed", 401)), check.Fail, "1 got 401 in another form"},
		{"left without a response", rejections, "", both(one, bad(3, evidence.Ambiguous, "timeout", 0)), check.Fail, "1 got no response rather than 401 (timeout)"},
		{"refused as others are", rejections, "", both(one, bad(3, evidence.Refused, "", 503)), check.Pass, "or refused"},
		{"refused only", rejections, "", bad(3, evidence.Refused, "", 503), check.Unknown, "no request was rejected with 401"},
		{"none sent", rejections, "", bad(3, evidence.Unsent, "not_sent", 0), check.Unknown, "no request was sent that must be rejected"},
		{"rejected as planned", check.NothingDropped(), "", one, check.Pass, "none of 7"},
	}
}
