package llm

import (
	"errors"
	"sync"
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

// breaker is a circuit breaker of one model, for one tenant or for all, that knows how long it will stay open. The one for all also
// refuses while the model has asked for a pause. How long it stays open counts from the start of the attempt that opened it: an attempt
// that timed out shows how the model was at its start. So a model that recovers is asked again within Open, whatever probe was under way
// then. For the same reason a failure does not count if the model responded to an attempt that began later.
type breaker struct {
	breaker      *gobreaker.CircuitBreaker[service.Answer] // decides when to open and to close; open, it lets probes through at once
	open         time.Duration
	forAll       *breaker                  // the one for all tenants of which this one is a part; nil if it is that
	state        atomic.Int32              // a gobreaker.State, as the breaker last told
	lastFailure  atomic.Pointer[time.Time] // start of the last attempt that failed; nil if none
	openUntil    atomic.Pointer[time.Time] // until when no probe is let through; nil if never opened
	firstFailure atomic.Pointer[time.Time] // start of the first attempt that failed since the model last responded; nil if none
	lastResponse atomic.Pointer[time.Time] // start of the latest attempt that the model responded to; nil if none
	backoffUntil atomic.Pointer[time.Time] // until when the model has asked for a pause; nil if never
	opened       atomic.Pointer[time.Time] // openUntil, if nobody was told of it yet
	overdue      atomic.Bool               // as many failed as open it, if they are of two tenants
	probation    atomic.Bool               // it was opened while probes were let through for all
	failing      witnesses                 // whose attempts failed since the model last responded, or since probes are let through
}

// newBreaker makes the breaker of a model for one tenant, if forAll is the one for all tenants, or that. The one for all is opened by
// failures of two tenants or more: those of one may be due to its questions, and open that tenant's.
func newBreaker(o BreakerOptions, forAll *breaker) *breaker {
	b := &breaker{open: o.Open, forAll: forAll}
	b.breaker = gobreaker.NewCircuitBreaker[service.Answer](gobreaker.Settings{
		Name:        "llm",
		MaxRequests: o.Probes,
		Timeout:     time.Nanosecond, // the breaker itself waits
		ReadyToTrip: func(counts gobreaker.Counts) bool {
			if b.forAll != nil {
				b.probation.Store(b.forAll.halfOpen()) // it was a probe for all, whom this tenant must not keep waiting
				return b.probation.Load() || b.forAll.overdue.Load()
			}
			began := b.firstFailure.Load()
			b.overdue.Store(counts.ConsecutiveFailures >= o.Failures && (began == nil || time.Since(*began) >= o.Patience))
			return b.overdue.Load() && b.failing.several()
		},
		IsSuccessful: responded,
		IsExcluded:   b.excludes,
		OnStateChange: func(_ string, _, to gobreaker.State) { // under the breaker's mutex: must not ask it anything
			b.state.Store(int32(to))
			if to == gobreaker.StateHalfOpen {
				b.failing.forget()
			}
			if to == gobreaker.StateOpen {
				since := time.Now()
				if began := b.lastFailure.Load(); began != nil { // nil for an attempt that panicked
					since = *began
				}
				until := since.Add(b.open)
				b.openUntil.Store(&until)
				b.opened.Store(&until)
			}
		},
	})
	return b
}

func (b *breaker) halfOpen() bool { return gobreaker.State(b.state.Load()) == gobreaker.StateHalfOpen }

var errBackoff = errors.New("the model has asked for a pause")

// refusal is why an attempt was not made, and for how long none will be.
type refusal struct {
	wait time.Duration
	err  error
}

func (r *refusal) Error() string { return r.err.Error() }

// uncounted is a failure that does not count for one breaker. It may for the tenant's, and not for that of all.
type uncounted struct {
	error
	by *breaker
}

func (u *uncounted) Unwrap() error { return u.error }

// excludes reports whether an attempt tells nothing of the model: the gateway gave up, another breaker refused, or its failure does not count.
func (b *breaker) excludes(err error) bool {
	var r *refusal
	var u *uncounted
	return isOutcome(err, aborted) || errors.As(err, &r) || errors.As(err, &u) && u.by == b
}

// Execute makes a tenant's attempt, unless the breaker is open or the model has asked for a pause: then its error is a *refusal.
func (b *breaker) Execute(tenant string, attempt func() (service.Answer, error)) (service.Answer, error) {
	answer, err := b.execute(tenant, attempt)
	if wait, refused := b.refusal(err); refused {
		err = &refusal{wait, err}
	}
	return answer, err
}

func (b *breaker) execute(tenant string, attempt func() (service.Answer, error)) (service.Answer, error) {
	switch {
	case b.backoff() > 0:
		return service.Answer{}, errBackoff
	case remaining(&b.openUntil) > 0:
		return service.Answer{}, gobreaker.ErrOpenState
	}
	return b.breaker.Execute(func() (service.Answer, error) {
		began := time.Now()
		answer, err := attempt()
		return answer, b.record(tenant, began, err)
	})
}

// State is open for as long as no probe is let through.
func (b *breaker) State() gobreaker.State {
	if remaining(&b.openUntil) > 0 {
		return gobreaker.StateOpen
	}
	return b.breaker.State()
}

// record keeps what an attempt showed of the model, and returns its error as it is to be counted.
func (b *breaker) record(tenant string, began time.Time, err error) error {
	var f *failure
	if b.forAll == nil && errors.As(err, &f) && f.retryAfter > 0 {
		postpone(&b.backoffUntil, time.Now().Add(f.retryAfter))
	}
	switch later := b.lastResponse.Load(); {
	case responded(err):
		b.firstFailure.Store(nil)
		b.overdue.Store(false)
		b.failing.forget()
		postpone(&b.lastResponse, began)
		return err
	case b.excludes(err):
		return err
	case later != nil && later.After(began):
		return &uncounted{err, b}
	default:
		b.firstFailure.CompareAndSwap(nil, &began)
		b.lastFailure.Store(&began)
	}
	if b.failing.add(tenant); b.forAll == nil && b.halfOpen() && !b.failing.several() {
		return &uncounted{err, b} // others may probe
	}
	return err
}

// postpone moves a moment, unless it is later already.
func postpone(moment *atomic.Pointer[time.Time], to time.Time) {
	for old := moment.Load(); old == nil || old.Before(to); old = moment.Load() {
		if moment.CompareAndSwap(old, &to) {
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

// refusal returns how long the breaker will refuse, and reports whether err is its own refusal, or another's.
func (b *breaker) refusal(err error) (time.Duration, bool) {
	var r *refusal
	switch {
	case errors.As(err, &r):
		return r.wait, true
	case errors.Is(err, gobreaker.ErrOpenState):
		return remaining(&b.openUntil), true
	case errors.Is(err, gobreaker.ErrTooManyRequests):
		return retrySoon, true // the probes under way decide
	case errors.Is(err, errBackoff):
		return b.backoff(), true
	}
	return 0, false
}

// isOver reports whether a tenant's breaker has no more reason: its probe failed, others' closed the breaker for all, and its time has passed.
func (b *breaker) isOver() bool {
	return b.probation.Load() && gobreaker.State(b.forAll.state.Load()) == gobreaker.StateClosed && b.heldBack() == 0
}

// heldBack is how much longer it refuses everything, whatever the reason.
func (b *breaker) heldBack() time.Duration { return max(b.backoff(), remaining(&b.openUntil)) }

// troubled reports whether it differs from a new one.
func (b *breaker) troubled() bool {
	return gobreaker.State(b.state.Load()) != gobreaker.StateClosed || b.firstFailure.Load() != nil || b.heldBack() > 0
}

// witnesses are tenants whose attempts failed, as far as it matters how many they are. They are ready for use.
type witnesses struct {
	mu     sync.Mutex
	one    string
	number int // 2 for any that is above 1
}

func (w *witnesses) add(tenant string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.number == 0:
		w.one, w.number = tenant, 1
	case w.one != tenant:
		w.number = 2
	}
}

func (w *witnesses) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.one, w.number = "", 0
}

func (w *witnesses) several() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.number > 1
}
