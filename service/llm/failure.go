package llm

import (
	"context"
	"errors"
	"fmt"
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
	status    = "status"    // 429 or 5xx
	rejected  = "rejected"  // any other status that is not 200
	malformed = "malformed" // 200, but not an answer
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

// statusFailure is the failure that a status other than 200 means.
func statusFailure(resp *http.Response) *failure {
	err := fmt.Errorf("status %d", resp.StatusCode)
	if resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= http.StatusInternalServerError {
		return &failure{outcome: status, certain: true, retryAfter: retryAfter(resp.Header), err: err}
	}
	return &failure{outcome: rejected, err: err}
}

// longestRest is the longest that a model may ask for, in seconds; nobody can mean more than a day.
const longestRest = 24 * 60 * 60

// retryAfter reads the header's form in seconds; a date is as good as nothing.
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || seconds < 0 || seconds > longestRest {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
