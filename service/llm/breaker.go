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
	Patience time.Duration // from the start of the first of them, until it opens: what the model gets over within that is left to retries
	Open     time.Duration // from the start of the attempt that opens it until it lets probes through
	Probes   uint32        // at a time while half-open; as many successes close it
}

// breaker is a circuit breaker that knows how long it will stay open, and that also refuses while the model has asked for a
// pause. How long it stays open counts from the start of the attempt that opened it: an attempt that timed out shows how the
// model was at its start. So a model that recovers is asked again within Open, whatever probe was under way then.
type breaker struct {
	breaker      *gobreaker.CircuitBreaker[service.Answer] // decides when to open and to close; open, it lets probes through at once
	open         time.Duration
	lastFailure  atomic.Pointer[time.Time] // start of the last attempt that failed; nil if none
	openUntil    atomic.Pointer[time.Time] // until when no probe is let through; nil if never opened
	firstFailure atomic.Pointer[time.Time] // start of the first attempt that failed since the model last responded; nil if none
	backoffUntil atomic.Pointer[time.Time] // until when the model has asked for a pause; nil if never
}

func newBreaker(o BreakerOptions) *breaker {
	b := &breaker{open: o.Open}
	b.breaker = gobreaker.NewCircuitBreaker[service.Answer](gobreaker.Settings{
		Name:        "llm",
		MaxRequests: o.Probes,
		Timeout:     time.Nanosecond, // the breaker itself waits
		ReadyToTrip: func(counts gobreaker.Counts) bool {
			began := b.firstFailure.Load()
			return counts.ConsecutiveFailures >= o.Failures && (began == nil || time.Since(*began) >= o.Patience)
		},
		IsSuccessful: responded,
		IsExcluded:   func(err error) bool { return isOutcome(err, aborted) }, // the gateway's doing, not the model's
		OnStateChange: func(_ string, _, to gobreaker.State) { // under the breaker's mutex: must not ask it anything
			if to == gobreaker.StateOpen {
				since := time.Now()
				if began := b.lastFailure.Load(); began != nil { // nil for an attempt that panicked
					since = *began
				}
				until := since.Add(b.open)
				b.openUntil.Store(&until)
			}
		},
	})
	return b
}

var errBackoff = errors.New("the model has asked for a pause")

// Execute makes an attempt, unless the breaker is open or the model has asked for a pause.
func (b *breaker) Execute(attempt func() (service.Answer, error)) (service.Answer, error) {
	switch {
	case b.backoff() > 0:
		return service.Answer{}, errBackoff
	case remaining(&b.openUntil) > 0:
		return service.Answer{}, gobreaker.ErrOpenState
	}
	return b.breaker.Execute(func() (service.Answer, error) {
		began := time.Now()
		answer, err := attempt()
		b.record(began, err)
		return answer, err
	})
}

// State is open for as long as no probe is let through.
func (b *breaker) State() gobreaker.State {
	if remaining(&b.openUntil) > 0 {
		return gobreaker.StateOpen
	}
	return b.breaker.State()
}

// record keeps what an attempt showed of the model.
func (b *breaker) record(began time.Time, err error) {
	switch {
	case responded(err):
		b.firstFailure.Store(nil)
	case !isOutcome(err, aborted):
		b.firstFailure.CompareAndSwap(nil, &began)
		b.lastFailure.Store(&began)
	}
	var f *failure
	if !errors.As(err, &f) || f.retryAfter == 0 {
		return
	}
	until := time.Now().Add(f.retryAfter)
	for old := b.backoffUntil.Load(); old == nil || old.Before(until); old = b.backoffUntil.Load() {
		if b.backoffUntil.CompareAndSwap(old, &until) {
			return
		}
	}
}

// backoff is how much longer the model has asked not to be called, by Retry-After.
func (b *breaker) backoff() time.Duration { return remaining(&b.backoffUntil) }

// remaining is how long it is until a moment; 0 if the moment has passed, or was never set.
func remaining(until *atomic.Pointer[time.Time]) time.Duration {
	if t := until.Load(); t != nil {
		return max(time.Until(*t), 0)
	}
	return 0
}

// responded reports whether the model works: it answered, it did not take the question, or one answer is of no use. The last may be
// due to the question of one tenant, and others must not suffer for it.
func responded(err error) bool {
	return err == nil || isOutcome(err, rejected) || isOutcome(err, unusable)
}

func isOutcome(err error, outcome string) bool {
	var f *failure
	return errors.As(err, &f) && f.outcome == outcome
}

// refusal returns how long the breaker will refuse, and reports whether err is its own refusal.
func (b *breaker) refusal(err error) (time.Duration, bool) {
	switch {
	case errors.Is(err, gobreaker.ErrOpenState):
		return remaining(&b.openUntil), true
	case errors.Is(err, gobreaker.ErrTooManyRequests):
		return retrySoon, true // the probes under way decide
	case errors.Is(err, errBackoff):
		return b.backoff(), true
	}
	return 0, false
}
