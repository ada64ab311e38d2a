// Package llm calls an OpenAI-compatible language model, behind a timeout, bounded retries and a circuit breaker.
package llm

import (
	"context"
	"errors"
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
	Price   service.Price
	Breaker BreakerOptions
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
		}},
		breaker: newBreaker(o.Breaker),
		outcome: outcome,
	}
}

// Active is the gauge of attempts under way.
func (c *Client) Active() *service.Gauge { return &c.active }

// BreakerState is 0 for closed, 1 for half-open, 2 for open.
func (c *Client) BreakerState() int { return int(c.breaker.State()) }

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Complete asks the model, once or more, as long as its budget and the request's time last. It repeats only attempts that
// certainly brought no answer: any other one might be billed twice. When the model asks for a pause, by Retry-After, nobody
// calls it through this Client until that is over. Requests that can wait do so, others are refused.
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
			return service.Answer{}, c.unavailable(err)
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
	return service.Answer{}, f
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
