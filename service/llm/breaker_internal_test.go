package llm

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/sentinel-chaos/sentinel/service"
)

var errModel = errors.New("model failed")

// alone is the breaker of the only tenant who asks.
type alone struct{ *breaker }

func forOne(o BreakerOptions) alone { return alone{newBreaker(o, newBreaker(o, nil))} }

func (a alone) Execute(tenant string, attempt func() (service.Answer, error)) (service.Answer, error) {
	return a.breaker.Execute(tenant, func() (service.Answer, error) { return a.forAll.Execute(tenant, attempt) })
}

type executor interface {
	Execute(tenant string, attempt func() (service.Answer, error)) (service.Answer, error)
}

// call runs one call through the breaker that takes its time and then ends with err.
func call(b executor, took time.Duration, err error) error {
	return callOf("acme", b, took, err)
}

// callOf is a call of that tenant.
func callOf(tenant string, b executor, took time.Duration, err error) error {
	_, got := b.Execute(tenant, func() (service.Answer, error) {
		time.Sleep(took)
		return service.Answer{}, err
	})
	return got
}

func TestBreakerOpensRefusesAndHeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := forOne(BreakerOptions{Failures: 3, Open: 5 * time.Second, Probes: 2})
		for range 3 {
			if _, refused := b.refusal(call(b, 0, &failure{outcome: malformed, err: errModel})); refused {
				t.Fatal("open too early")
			}
		}
		time.Sleep(2 * time.Second)
		if rest, refused := b.refusal(call(b, 0, nil)); !refused || rest != 3*time.Second {
			t.Errorf("after 2 of 5 seconds: refused %t, rest %s", refused, rest)
		}
		time.Sleep(3*time.Second + time.Millisecond)
		if b.State() != gobreaker.StateHalfOpen {
			t.Fatalf("state %s after the rest, though nobody called", b.State())
		}
		for range 2 {
			if err := call(b, 0, nil); err != nil {
				t.Errorf("probe: %v", err)
			}
		}
		if b.State() != gobreaker.StateClosed {
			t.Errorf("state %s after the probes", b.State())
		}
	})
}

func TestFailedProbeOpensAgainForTheWholeRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := forOne(BreakerOptions{Failures: 1, Open: 5 * time.Second, Probes: 2})
		_ = call(b, 0, errModel)
		time.Sleep(6 * time.Second)
		_ = call(b, 0, errModel)
		if rest, refused := b.refusal(call(b, 0, nil)); !refused || rest != 5*time.Second {
			t.Errorf("refused %t, rest %s", refused, rest)
		}
	})
}

// TestTheRestCountsFromTheStart: a probe that was under way when the model recovered, and failed, keeps nobody waiting for
// longer than one that was sent just before.
func TestTheRestCountsFromTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const timeout, open = 2 * time.Second, 5 * time.Second
		b := forOne(BreakerOptions{Failures: 1, Open: open, Probes: 2})
		for range 3 {
			_ = call(b, timeout, errModel) // at first the one that opens it, then a probe
			if rest, refused := b.refusal(call(b, 0, nil)); !refused || rest != open-timeout || b.State() != gobreaker.StateOpen {
				t.Fatalf("refused %t, rest %s, state %s", refused, rest, b.State())
			}
			time.Sleep(open - timeout)
			if b.State() != gobreaker.StateHalfOpen {
				t.Fatalf("state %s after the rest", b.State())
			}
		}
	})
}

// TestNoRestAfterALongAttempt: one that took longer than the rest is followed by the next probe, and never by a crowd.
func TestNoRestAfterALongAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := forOne(BreakerOptions{Failures: 1, Open: time.Second, Probes: 2})
		_ = call(b, 2*time.Second, errModel)
		time.Sleep(time.Millisecond)
		var passed atomic.Int32
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if errors.Is(call(b, 2*time.Second, errModel), errModel) {
					passed.Add(1)
				}
			})
		}
		all.Wait()
		if passed.Load() != 2 {
			t.Errorf("%d of 20 passed, want the 2 probes", passed.Load())
		}
	})
}

func TestHalfOpenLetsOnlyItsProbesThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const probes, callers = 2, 20
		b := forOne(BreakerOptions{Failures: 1, Open: time.Second, Probes: probes})
		_ = call(b, 0, errModel)
		time.Sleep(2 * time.Second)
		var mu sync.Mutex
		refusals := 0
		var all sync.WaitGroup
		for range callers {
			all.Go(func() {
				rest, refused := b.refusal(call(b, time.Second, nil))
				mu.Lock()
				defer mu.Unlock()
				if refused && rest > 0 {
					refusals++
				}
			})
		}
		all.Wait()
		if refusals != callers-probes {
			t.Errorf("%d of %d refused", refusals, callers)
		}
	})
}

// A model that fails every other second, for less than the breaker's patience at a time, is never given up; once it fails
// for longer than that it is, with the next failure.
func TestBreakerOutlastsShortTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const every, phase = 50 * time.Millisecond, time.Second
		b := forOne(BreakerOptions{Failures: 5, Patience: 1500 * time.Millisecond, Open: 5 * time.Second, Probes: 2})
		for at := time.Duration(0); at < 10*phase; at += every {
			err := errModel
			if at/phase%2 == 0 {
				err = nil
			}
			if _, refused := b.refusal(call(b, every, err)); refused {
				t.Fatalf("given up after %s", at)
			}
		}
		began := time.Now()
		for b.State() == gobreaker.StateClosed {
			_ = call(b, every, errModel)
		}
		if after := phase + time.Since(began); after < 1500*time.Millisecond || after > 1500*time.Millisecond+every {
			t.Errorf("given up after %s of failures", after)
		}
	})
}

// A pause before the trouble is no part of it: a replica that is rarely asked is as patient as any other.
func TestPatienceCountsFromTheFirstFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := forOne(BreakerOptions{Failures: 3, Patience: 1500 * time.Millisecond, Open: time.Second, Probes: 1})
		_ = call(b, 0, nil)
		time.Sleep(time.Minute)
		for range 3 {
			_ = call(b, 300*time.Millisecond, errModel)
		}
		if b.State() != gobreaker.StateClosed {
			t.Error("open 0.9 s after the first failure began")
		}
		_ = call(b, 0, &failure{outcome: aborted, err: errModel}) // tells nothing
		time.Sleep(599 * time.Millisecond)
		if _ = call(b, 0, errModel); b.State() != gobreaker.StateClosed {
			t.Error("open before its patience was at an end")
		}
		time.Sleep(time.Millisecond)
		if _ = call(b, 0, errModel); b.State() != gobreaker.StateOpen {
			t.Error("still closed 1.5 s after the first failure began")
		}
	})
}

// One attempt that lasts longer than the patience is enough for that, if others failed as well.
func TestAttemptsThatTimeOutOpenTheBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := forOne(BreakerOptions{Failures: 5, Patience: 1500 * time.Millisecond, Open: 5 * time.Second, Probes: 2})
		_ = call(b, 0, nil)
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() { _ = call(b, 2*time.Second, errModel) })
		}
		all.Wait()
		if b.State() != gobreaker.StateOpen {
			t.Errorf("state %s after five that timed out", b.State())
		}
	})
}

// While the model has asked to be left alone nobody calls it, and everybody is told for how long; the longest wish counts.
func TestRetryAfterIsARestForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(BreakerOptions{Failures: 100, Open: time.Minute, Probes: 1}, nil)
		busy := func(wish time.Duration) error {
			return &failure{outcome: status, certain: true, retryAfter: wish, err: errModel}
		}
		inFlight := make(chan error)
		go func() { inFlight <- call(b, time.Second, busy(time.Second)) }()
		synctest.Wait()
		_ = call(b, 0, busy(8*time.Second))
		for _, left := range []time.Duration{8 * time.Second, 5 * time.Second, time.Nanosecond} {
			time.Sleep(b.backoff() - left)
			rest, refused := b.refusal(call(b, 0, errors.New("called")))
			if !refused || rest != left {
				t.Errorf("%s before the end: refused %t, rest %s", left, refused, rest)
			}
		}
		<-inFlight // its shorter wish came after the longer one, and did not cut it short
		time.Sleep(time.Nanosecond)
		if err := call(b, 0, nil); err != nil {
			t.Errorf("after the rest: %v", err)
		}
	})
}

func TestWhatTheBreakerDoesNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := forOne(BreakerOptions{Failures: 1, Open: time.Second, Probes: 1})
		for _, outcome := range []string{aborted, rejected} {
			_ = call(b, 0, &failure{outcome: outcome, err: errModel})
			if b.State() != gobreaker.StateClosed {
				t.Errorf("%s opened the breaker", outcome)
			}
		}
	})
}
