// Package llm calls an OpenAI-compatible language model, behind a timeout, bounded retries and a circuit breaker.
package llm

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/sentinel-chaos/sentinel/service"
	"github.com/sentinel-chaos/sentinel/service/dependency"
)

// Options are the figures of the client.
type Options struct {
	URL     string        // of the model's server, without the path
	Timeout time.Duration // for one attempt
	Budget  time.Duration // for all attempts; one is repeated only if it can have its whole Timeout
	MaxRest time.Duration // for which one answer may have all calls held back, whatever its Retry-After says
	Price   service.Price
	Breaker BreakerOptions
	Log     *slog.Logger
}

// Client calls the model. It is safe for concurrent use.
type Client struct {
	Options
	http    *http.Client
	breaker *breaker
	active  service.Gauge
	outcome func(string)
}

// Figures of the connections to the model.
const (
	dialTimeout  = 500 * time.Millisecond
	idleConns    = 4 // per host; a burst dials more, and lets go of them
	idleTimeout  = 30 * time.Second
	firstRetry   = 50 * time.Millisecond
	longestRetry = 500 * time.Millisecond
)

// New makes a Client that reports the outcome of every attempt.
func New(o Options, outcome func(string)) *Client {
	dialer := &net.Dialer{Timeout: dialTimeout}
	return &Client{
		Options: o,
		http: &http.Client{Transport: &http.Transport{
			DialContext:         dialer.DialContext,
			MaxIdleConns:        idleConns,
			MaxIdleConnsPerHost: idleConns,
			IdleConnTimeout:     idleTimeout,
			DisableCompression:  true,
		}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, // nobody else is asked
		breaker: newBreaker(o.Breaker),
		outcome: outcome,
	}
}

// Active is the gauge of attempts under way.
func (c *Client) Active() *service.Gauge { return &c.active }

// BreakerState is 0 for closed, 1 for half-open, 2 for open.
func (c *Client) BreakerState() int { return int(c.breaker.State()) }

// HeldBackUntil is until when no call is made because the model asked for a pause; the zero Time if none is held back.
func (c *Client) HeldBackUntil() time.Time {
	if rest := c.breaker.backoff(); rest > 0 {
		return time.Now().Add(rest)
	}
	return time.Time{}
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Complete asks the model, once or more, as long as its budget and the request's time last. It repeats only attempts that
// certainly brought no answer: any other one might be billed twice. When the model asks for a pause, by Retry-After, nobody
// calls it through this Client until that is over, or MaxRest. Requests that can wait do so, others are refused. If a call that
// brought no answer was billed all the same, the Answer beside the error tells its name and its cost.
func (c *Client) Complete(ctx context.Context, r service.Request) (service.Answer, error) {
	lastStart := time.Now().Add(c.Budget - c.Timeout)
	if end := r.Until.Add(-c.Timeout); !r.Until.IsZero() && end.Before(lastStart) {
		lastStart = end
	}
	for backoff := (dependency.Backoff{Next: firstRetry, Most: longestRetry}); ; {
		answer, err := c.breaker.Execute(func() (service.Answer, error) { return c.attempt(ctx, r) })
		if err == nil {
			return answer, nil
		}
		var f *failure
		if !errors.As(err, &f) || !f.certain || time.Now().Add(f.retryAfter).After(lastStart) {
			return answer, c.unavailable(err)
		}
		if dependency.Sleep(ctx, f.retryAfter) != nil || backoff.Wait(ctx) != nil || time.Now().After(lastStart) {
			return service.Answer{}, c.unavailable(err)
		}
	}
}

// attempt makes one call and reports its outcome.
func (c *Client) attempt(ctx context.Context, r service.Request) (service.Answer, error) {
	bounded, cancel := context.WithCancel(ctx)
	defer cancel()
	deadline := dependency.StartDeadline(time.Now().Add(c.Timeout), cancel)
	defer deadline.Stop()
	c.active.Inc()
	defer c.active.Dec()
	answer, err := c.post(bounded, r)
	if err == nil {
		c.outcome(ok)
		return answer, nil
	}
	f := classify(ctx, bounded, err)
	c.outcome(f.outcome)
	c.log(r, f)
	return answer, f
}

// log tells what would otherwise show in counters alone: of which request an answer was of no use, and why calls are held back.
func (c *Client) log(r service.Request, f *failure) {
	switch {
	case f.outcome == unusable:
		c.Log.Warn("an answer of the LLM is of no use", "request_id", r.ID, "tenant", r.Tenant, "error", f.err)
	case f.retryAfter > 0:
		c.Log.Warn("the LLM asked for a pause: calls are held back", "request_id", r.ID, "for", f.retryAfter.String(), "error", f.err)
	}
}

// unavailable turns the failure of the last attempt into the error for the client.
func (c *Client) unavailable(err error) *service.Unavailable {
	if wait, open := c.breaker.refusal(err); open {
		return &service.Unavailable{Reason: service.ReasonBreaker, RetryAfter: wait, Err: err}
	}
	u := &service.Unavailable{Reason: service.ReasonUpstream, RetryAfter: retrySoon, Err: err}
	var f *failure
	if errors.As(err, &f) {
		u.Reason, u.RetryAfter = f.reason(), max(f.retryAfter, retrySoon)
	}
	return u
}

// retrySoon is the advice to clients when the model gives none.
const retrySoon = time.Second
