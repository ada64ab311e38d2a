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
	APIKey  string        // bearer token for it; "" for none
	Timeout time.Duration // for one attempt
	Budget  time.Duration // for all attempts; one is repeated only if it can have its whole Timeout
	MaxRest time.Duration // for which one answer may have all calls of its model held back, whatever its Retry-After says
	Price   service.Price
	Breaker BreakerOptions
	Log     *slog.Logger
}

// Client calls the model. It is safe for concurrent use.
type Client struct {
	Options
	http     *http.Client
	breakers *breakers
	active   service.Gauge
	outcome  func(string)
}

// Figures of the connections to the model.
const (
	dialTimeout  = 500 * time.Millisecond
	firstRetry   = 50 * time.Millisecond
	longestRetry = 500 * time.Millisecond
)

// New makes a Client that reports the outcome of every attempt. Each has a connection of its own: what a model's server sends behind an answer
// could be taken for the answer to the next question, which is another tenant's; and where it closes what it calls idle, the next
// question would be lost.
func New(o Options, outcome func(string)) *Client {
	dialer := &net.Dialer{Timeout: dialTimeout}
	return &Client{
		Options: o,
		http: &http.Client{Transport: &http.Transport{
			DialContext:        dialer.DialContext,
			DisableKeepAlives:  true,
			DisableCompression: true,
		}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, // nobody else is asked
		breakers: newBreakers(o.Breaker, o.Log),
		outcome:  outcome,
	}
}

// Active is the gauge of attempts under way.
func (c *Client) Active() *service.Gauge { return &c.active }

// BreakerState is 0 for closed, 1 for half-open, 2 for open: the worst of all models. An outage shows, however many tenants ask.
func (c *Client) BreakerState() int { return int(c.breakers.State()) }

// HeldBack returns the models that are held back, by name. There are few at a time, and clients may have made their names up.
func (c *Client) HeldBack() []service.HeldBack { return c.breakers.HeldBack() }

// Models returns the names of models that have answered. There are few, and none goes away.
func (c *Client) Models() []string { return c.breakers.Named() }

// Complete asks the model, once or more, as long as its budget and the request's time last. It repeats only attempts that
// certainly brought no answer: any other one might be billed twice. When a model asks for a pause, by Retry-After, nobody
// calls it through this Client until that is over, or MaxRest. Requests that can wait do so, others are refused. If a call that
// brought no answer was billed all the same, the Answer beside the error tells its name and its cost.
func (c *Client) Complete(ctx context.Context, r service.Request) (service.Answer, error) {
	lastStart := time.Now().Add(c.Budget - c.Timeout)
	if end := r.Until.Add(-c.Timeout); !r.Until.IsZero() && end.Before(lastStart) {
		lastStart = end
	}
	for backoff := (dependency.Backoff{Next: firstRetry, Most: longestRetry}); ; {
		answer, err := c.breakers.Execute(r, func() (service.Answer, error) { return c.attempt(ctx, r) })
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
		c.Log.Warn("the LLM asked for a pause: calls of the model are held back", "model", r.Query.Model, "request_id", r.ID, "for", f.retryAfter.String(), "error", f.err)
	}
}

// unavailable turns the failure of the last attempt into the error for the client.
func (c *Client) unavailable(err error) *service.Unavailable {
	var held *refusal
	if errors.As(err, &held) {
		return &service.Unavailable{Reason: service.ReasonBreaker, RetryAfter: held.wait, Err: err}
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
