package llm

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/sentinel-chaos/sentinel/service"
)

// BreakerOptions are the figures of the circuit breaker.
type BreakerOptions struct {
	Failures uint32        // in a row, until it opens
	Patience time.Duration // without an answer, until it opens: what the model gets over within that is left to retries
	Open     time.Duration // until it lets probes through
	Probes   uint32        // at a time while half-open; as many successes close it
}

// breaker is a circuit breaker that knows how long it will stay open, and that also refuses while the model has asked to be
// left alone.
type breaker struct {
	*gobreaker.CircuitBreaker[service.Answer]
	open     time.Duration
	openedAt atomic.Pointer[time.Time]
	answered atomic.Pointer[time.Time] // when the model last gave a sign of life; nil if never
	resting  atomic.Pointer[time.Time] // until when it has asked to be left alone; nil if never
}

func newBreaker(o BreakerOptions) *breaker {
	b := &breaker{open: o.Open}
	b.CircuitBreaker = gobreaker.NewCircuitBreaker[service.Answer](gobreaker.Settings{
		Name:        "llm",
		MaxRequests: o.Probes,
		Timeout:     o.Open,
		ReadyToTrip: func(counts gobreaker.Counts) bool {
			answered := b.answered.Load()
			return counts.ConsecutiveFailures >= o.Failures && (answered == nil || time.Since(*answered) >= o.Patience)
		},
		IsSuccessful: alive,
		IsExcluded:   func(err error) bool { return isOutcome(err, aborted) }, // the gateway's doing, not the model's
		OnStateChange: func(_ string, _, to gobreaker.State) { // under the breaker's mutex: must not ask it anything
			if now := time.Now(); to == gobreaker.StateOpen {
				b.openedAt.Store(&now)
			}
		},
	})
	return b
}

var errResting = errors.New("the model has asked to be left alone")

// Execute makes an attempt, unless the model is given a rest.
func (b *breaker) Execute(attempt func() (service.Answer, error)) (service.Answer, error) {
	if b.wish() > 0 {
		return service.Answer{}, errResting
	}
	return b.CircuitBreaker.Execute(func() (service.Answer, error) {
		answer, err := attempt()
		b.note(err)
		return answer, err
	})
}

// note keeps what an attempt tells of the model.
func (b *breaker) note(err error) {
	now := time.Now()
	if alive(err) {
		b.answered.Store(&now)
	}
	var f *failure
	if !errors.As(err, &f) || f.retryAfter == 0 {
		return
	}
	until := now.Add(f.retryAfter)
	for old := b.resting.Load(); old == nil || old.Before(until); old = b.resting.Load() {
		if b.resting.CompareAndSwap(old, &until) {
			return
		}
	}
}

// wish is how much longer the model has asked to be left alone, by Retry-After.
func (b *breaker) wish() time.Duration {
	if until := b.resting.Load(); until != nil {
		return max(time.Until(*until), 0)
	}
	return 0
}

// alive says that the model works: it answered, or it did not take the question.
func alive(err error) bool { return err == nil || isOutcome(err, rejected) }

func isOutcome(err error, outcome string) bool {
	var f *failure
	return errors.As(err, &f) && f.outcome == outcome
}

// rest says whether err is the breaker's own refusal, and how long it will refuse.
func (b *breaker) rest(err error) (time.Duration, bool) {
	switch {
	case errors.Is(err, gobreaker.ErrOpenState):
		if opened := b.openedAt.Load(); opened != nil {
			return max(time.Until(opened.Add(b.open)), 0), true
		}
		return b.open, true
	case errors.Is(err, gobreaker.ErrTooManyRequests):
		return retrySoon, true // the probes under way decide
	case errors.Is(err, errResting):
		return b.wish(), true
	}
	return 0, false
}
