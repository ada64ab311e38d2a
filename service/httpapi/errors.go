package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/sentinel-chaos/sentinel/service"
)

// problem is an error in the form in which clients get it.
type problem struct {
	status  int
	Type    string   `json:"type"`
	Code    string   `json:"code"`
	Message string   `json:"message"`
	ID      string   `json:"request_id"`
	Details []detail `json:"details,omitempty"`
}

// detail is one thing that is wrong with one field.
type detail struct {
	Field string `json:"field"`
	Rule  string `json:"rule"`
}

// Error describes the problem.
func (p *problem) Error() string { return p.Code + ": " + p.Message }

// Types of problems.
const (
	invalidRequest = "invalid_request_error"
	authentication = "authentication_error"
	rateLimit      = "rate_limit_error"
	unavailable    = "unavailable_error"
	internal       = "internal_error"
)

var (
	errNotFound = &problem{status: http.StatusNotFound, Type: invalidRequest, Code: "not_found",
		Message: "no such route"}
	errMethod = &problem{status: http.StatusMethodNotAllowed, Type: invalidRequest, Code: "method_not_allowed",
		Message: "the route has no such method; the header Allow has those that it has"}
	errNoKey = &problem{status: http.StatusNotFound, Type: invalidRequest, Code: "no_such_key",
		Message: "there is no API key of this id"}
	errTooLarge = &problem{status: http.StatusRequestEntityTooLarge, Type: invalidRequest, Code: "body_too_large",
		Message: "the body is larger than 1 MiB"}
	errBodyTimeout = &problem{status: http.StatusRequestTimeout, Type: invalidRequest, Code: "body_timeout",
		Message: "the body did not arrive in time"}
	errMalformed = &problem{status: http.StatusBadRequest, Type: invalidRequest, Code: "malformed_body",
		Message: "the body is not one JSON object of the documented form"}
	errUnauthorized = &problem{status: http.StatusUnauthorized, Type: authentication, Code: "unauthorized",
		Message: "give a valid key as Authorization: Bearer <key>"}
	errInternal = &problem{status: http.StatusInternalServerError, Type: internal, Code: "internal",
		Message: "the gateway failed; the request id finds it in the log"}
)

// fail is the one place where errors become answers.
func (a *API) fail(w *recorder, r *http.Request, err error) {
	if errors.Is(r.Context().Err(), context.Canceled) && errors.Is(err, context.Canceled) {
		w.hangUp()
		return
	}
	p, retryAfter := a.problemOf(err)
	if p.status == http.StatusInternalServerError {
		a.Log.Error("request failed", "request_id", idOf(w), "path", r.URL.Path, "error", err)
	}
	if w.code != 0 {
		return // part of an answer is out already
	}
	if body, ok := r.Body.(*watchedBody); ok && !body.ended {
		w.leaveBody()
	}
	p.ID = idOf(w)
	if retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	}
	if p.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	reply(w, p.status, map[string]problem{"error": p})
}

// problemOf translates an error, and returns the Retry-After in seconds, 0 for none.
func (a *API) problemOf(err error) (problem, int) {
	var p *problem
	var u *service.Unavailable
	var l *service.Limited
	switch {
	case errors.As(err, &p):
		return *p, 0
	case errors.Is(err, service.ErrUnauthorized):
		return *errUnauthorized, 0
	case errors.Is(err, service.ErrNoKey):
		return *errNoKey, 0
	case errors.As(err, &l):
		return problem{status: http.StatusTooManyRequests, Type: rateLimit, Code: l.Kind + "_rate_limited",
			Message: "too many requests from this " + l.Kind + "; come again after the time in Retry-After"}, wholeSeconds(l.RetryAfter)
	case errors.As(err, &u) && u.Reason == service.ReasonRejected:
		return problem{status: http.StatusBadGateway, Type: unavailable, Code: u.Reason,
			Message: "the model does not take this query"}, 0
	case errors.As(err, &u):
		return problem{status: http.StatusServiceUnavailable, Type: unavailable, Code: u.Reason,
			Message: "no answer can be had now; come again after the time in Retry-After"}, wholeSeconds(u.RetryAfter)
	}
	return *errInternal, 0
}

// wholeSeconds rounds up, to 1 at least: a retry that comes too early is in vain.
func wholeSeconds(d time.Duration) int {
	return max(1, int(math.Ceil(d.Seconds())))
}

// reply sends a JSON body, without the escapes that only HTML needs: an answer of such characters stays as long as it is. A client that
// has gone cannot be told so.
func reply(w http.ResponseWriter, status int, body any) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(body); err != nil {
		panic(fmt.Errorf("encode the answer: %w", err)) // a defect, which is told of and answered like any other
	}
	text := bytes.TrimSuffix(buffer.Bytes(), []byte("\n"))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_, _ = w.Write(text)
}
