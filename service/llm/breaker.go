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

// breaker is a circuit breaker that knows how long it will stay open, and that also refuses while the model has asked to be
// left alone. How long it stays open counts from the start of the attempt that opened it: what an attempt that timed out tells
// of the model is as old as that. So a model that recovers is asked again within Open, whatever probe was under way then.
type breaker struct {
	counts  *gobreaker.CircuitBreaker[service.Answer] // decides when to open and to close; open, it lets probes through at once
	open    time.Duration
	failed  atomic.Pointer[time.Time] // start of the last attempt that failed; nil if none
	shut    atomic.Pointer[time.Time] // until when no probe is let through; nil if never opened
	failing atomic.Pointer[time.Time] // start of the first attempt that failed since the model last gave a sign of life; nil if none
	resting atomic.Pointer[time.Time] // until when it has asked to be left alone; nil if never
}

func newBreaker(o BreakerOptions) *breaker {
	b := &breaker{open: o.Open}
	b.counts = gobreaker.NewCircuitBreaker[service.Answer](gobreaker.Settings{
		Name:        "llm",
		MaxRequests: o.Probes,
		Timeout:     time.Nanosecond, // the breaker itself waits
		ReadyToTrip: func(counts gobreaker.Counts) bool {
			began := b.failing.Load()
			return counts.ConsecutiveFailures >= o.Failures && (began == nil || time.Since(*began) >= o.Patience)
		},
		IsSuccessful: alive,
		IsExcluded:   func(err error) bool { return isOutcome(err, aborted) }, // the gateway's doing, not the model's
		OnStateChange: func(_ string, _, to gobreaker.State) { // under the breaker's mutex: must not ask it anything
			if to == gobreaker.StateOpen {
				since := time.Now()
				if began := b.failed.Load(); began != nil { // nil for an attempt that panicked
					since = *began
				}
				until := since.Add(b.open)
				b.shut.Store(&until)
			}
		},
	})
	return b
}

var errResting = errors.New("the model has asked to be left alone")

// Execute makes an attempt, unless the model is given a rest.
func (b *breaker) Execute(attempt func() (service.Answer, error)) (service.Answer, error) {
	switch {
	case b.wish() > 0:
		return service.Answer{}, errResting
	case left(&b.shut) > 0:
		return service.Answer{}, gobreaker.ErrOpenState
	}
	return b.counts.Execute(func() (service.Answer, error) {
		began := time.Now()
		answer, err := attempt()
		b.note(began, err)
		return answer, err
	})
}

// State is open for as long as no probe is let through.
func (b *breaker) State() gobreaker.State {
	if left(&b.shut) > 0 {
		return gobreaker.StateOpen
	}
	return b.counts.State()
}

// note keeps what an attempt tells of the model.
func (b *breaker) note(began time.Time, err error) {
	switch {
	case alive(err):
		b.failing.Store(nil)
	case !isOutcome(err, aborted):
		b.failing.CompareAndSwap(nil, &began)
		b.failed.Store(&began)
	}
	var f *failure
	if !errors.As(err, &f) || f.retryAfter == 0 {
		return
	}
	until := time.Now().Add(f.retryAfter)
	for old := b.resting.Load(); old == nil || old.Before(until); old = b.resting.Load() {
		if b.resting.CompareAndSwap(old, &until) {
			return
		}
	}
}

// wish is how much longer the model has asked to be left alone, by Retry-After.
func (b *breaker) wish() time.Duration { return left(&b.resting) }

// left is how long it is until a moment; 0 if that has passed, or was never set.
func left(until *atomic.Pointer[time.Time]) time.Duration {
	if t := until.Load(); t != nil {
		return max(time.Until(*t), 0)
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
		return left(&b.shut), true
	case errors.Is(err, gobreaker.ErrTooManyRequests):
		return retrySoon, true // the probes under way decide
	case errors.Is(err, errResting):
		return b.wish(), true
	}
	return 0, false
}
