package llm

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/sentinel-chaos/sentinel/service"
)

// Outcomes of an attempt, as the metrics name them.
const (
	ok        = "ok"
	timeout   = "timeout"   // no complete answer in time
	aborted   = "aborted"   // the gateway itself gave up
	unreached = "unreached" // no connection
	broken    = "broken"    // the connection failed after the request was sent
	status    = "status"    // any that is neither 200 nor rejected
	rejected  = "rejected"  // 4xx other than 429: the model does not take the question
	malformed = "malformed" // 200, but no completion
	unusable  = "unusable"  // a completion of which a part that is needed is missing, or cannot be
)

// failure is an attempt that brought no answer.
type failure struct {
	outcome    string
	certain    bool          // the model has not answered, and will not bill
	retryAfter time.Duration // what the model asked for, 0 if nothing
	err        error
}

func (f *failure) Error() string { return f.outcome + ": " + f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func (f *failure) reason() string {
	switch f.outcome {
	case timeout:
		return service.ReasonTimeout
	case rejected:
		return service.ReasonRejected
	}
	return service.ReasonUpstream
}

// classify names what became of an attempt under the bounded context of a caller.
func classify(caller, bounded context.Context, err error) *failure {
	var f *failure
	var op *net.OpError
	switch {
	case caller.Err() != nil:
		return &failure{outcome: aborted, err: err}
	case bounded.Err() != nil:
		return &failure{outcome: timeout, err: err}
	case errors.As(err, &f):
		return f
	case errors.As(err, &op) && op.Op == "dial":
		return &failure{outcome: unreached, certain: true, err: err}
	}
	return &failure{outcome: broken, err: err}
}

// statusFailure is the failure that a status other than 200 means. A pause is asked for by what is certainly no answer, and is
// kept for maxRest at most.
func statusFailure(resp *http.Response, maxRest time.Duration) *failure {
	err := fmt.Errorf("status %d", resp.StatusCode)
	switch code := resp.StatusCode; {
	case code == http.StatusTooManyRequests, code >= http.StatusInternalServerError:
		return &failure{outcome: status, certain: true, retryAfter: min(retryAfter(resp.Header), maxRest), err: err}
	case code >= http.StatusBadRequest:
		return &failure{outcome: rejected, err: err}
	}
	return &failure{outcome: status, err: err}
}

// farOff is a pause that is longer than any that is kept.
const farOff = time.Duration(math.MaxInt64)

// retryAfter reads the header, which has seconds or a date; what is neither asks for nothing. A date counts by the clock of who gave it.
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if until, err := http.ParseTime(text); err == nil {
		now, err := http.ParseTime(h.Get("Date"))
		if err != nil {
			now = time.Now()
		}
		return max(until.Sub(now), 0)
	}
	seconds, err := strconv.ParseUint(text, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange), err == nil && seconds > uint64(farOff/time.Second):
		return farOff
	case err != nil:
		return 0
	}
	return time.Duration(seconds) * time.Second
}
