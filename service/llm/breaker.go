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
	Open     time.Duration // until it lets probes through
	Probes   uint32        // at a time while half-open; as many successes close it
}

// breaker is a circuit breaker that knows how long it will stay open.
type breaker struct {
	*gobreaker.CircuitBreaker[service.Answer]
	open     time.Duration
	openedAt atomic.Pointer[time.Time]
}

func newBreaker(o BreakerOptions) *breaker {
	b := &breaker{open: o.Open}
	b.CircuitBreaker = gobreaker.NewCircuitBreaker[service.Answer](gobreaker.Settings{
		Name:         "llm",
		MaxRequests:  o.Probes,
		Timeout:      o.Open,
		ReadyToTrip:  func(counts gobreaker.Counts) bool { return counts.ConsecutiveFailures >= o.Failures },
		IsSuccessful: func(err error) bool { return err == nil || isOutcome(err, rejected) }, // a refusal is a sign of life
		IsExcluded:   func(err error) bool { return isOutcome(err, aborted) },                // the gateway's doing, not the model's
		OnStateChange: func(_ string, _, to gobreaker.State) { // under the breaker's mutex: must not ask it anything
			if now := time.Now(); to == gobreaker.StateOpen {
				b.openedAt.Store(&now)
			}
		},
	})
	return b
}

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
	}
	return 0, false
}
