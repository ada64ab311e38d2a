package llm

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/sentinel-chaos/sentinel/service"
)

var errModel = errors.New("model failed")

// call runs one call through the breaker that takes its time and then ends with err.
func call(b *breaker, took time.Duration, err error) error {
	_, got := b.Execute(func() (service.Answer, error) {
		time.Sleep(took)
		return service.Answer{}, err
	})
	return got
}

func TestBreakerOpensRefusesAndHeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(BreakerOptions{Failures: 3, Open: 5 * time.Second, Probes: 2})
		for range 3 {
			if _, refused := b.rest(call(b, 0, &failure{outcome: malformed, err: errModel})); refused {
				t.Fatal("open too early")
			}
		}
		time.Sleep(2 * time.Second)
		if rest, refused := b.rest(call(b, 0, nil)); !refused || rest != 3*time.Second {
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
		b := newBreaker(BreakerOptions{Failures: 1, Open: 5 * time.Second, Probes: 2})
		_ = call(b, 0, errModel)
		time.Sleep(6 * time.Second)
		_ = call(b, 0, errModel)
		if rest, refused := b.rest(call(b, 0, nil)); !refused || rest != 5*time.Second {
			t.Errorf("refused %t, rest %s", refused, rest)
		}
	})
}

func TestHalfOpenLetsOnlyItsProbesThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const probes, callers = 2, 20
		b := newBreaker(BreakerOptions{Failures: 1, Open: time.Second, Probes: probes})
		_ = call(b, 0, errModel)
		time.Sleep(2 * time.Second)
		var mu sync.Mutex
		refusals := 0
		var all sync.WaitGroup
		for range callers {
			all.Go(func() {
				rest, refused := b.rest(call(b, time.Second, nil))
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
		const every, spell = 50 * time.Millisecond, time.Second
		b := newBreaker(BreakerOptions{Failures: 5, Patience: 1500 * time.Millisecond, Open: 5 * time.Second, Probes: 2})
		for at := time.Duration(0); at < 10*spell; at += every {
			err := errModel
			if at/spell%2 == 0 {
				err = nil
			}
			if _, refused := b.rest(call(b, every, err)); refused {
				t.Fatalf("given up after %s", at)
			}
		}
		began := time.Now()
		for b.State() == gobreaker.StateClosed {
			_ = call(b, every, errModel)
		}
		if after := spell + time.Since(began); after < 1500*time.Millisecond || after > 1500*time.Millisecond+every {
			t.Errorf("given up after %s of failures", after)
		}
	})
}

// Patience does not make the breaker wait for the last of few failures: whom nobody has called for long has none to lose.
func TestBreakerOpensAtOnceAfterALongPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(BreakerOptions{Failures: 3, Patience: 1500 * time.Millisecond, Open: time.Second, Probes: 1})
		_ = call(b, 0, nil)
		time.Sleep(time.Minute)
		for range 2 {
			_ = call(b, 0, errModel)
		}
		if b.State() != gobreaker.StateClosed {
			t.Error("open after 2 of 3 failures")
		}
		if _ = call(b, 0, errModel); b.State() != gobreaker.StateOpen {
			t.Error("still closed after 3 failures, a minute after the last answer")
		}
	})
}

// While the model has asked to be left alone nobody calls it, and everybody is told for how long; the longest wish counts.
func TestRetryAfterIsARestForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(BreakerOptions{Failures: 100, Open: time.Minute, Probes: 1})
		busy := func(wish time.Duration) error {
			return &failure{outcome: status, certain: true, retryAfter: wish, err: errModel}
		}
		inFlight := make(chan error)
		go func() { inFlight <- call(b, time.Second, busy(time.Second)) }()
		synctest.Wait()
		_ = call(b, 0, busy(8*time.Second))
		for _, left := range []time.Duration{8 * time.Second, 5 * time.Second, time.Nanosecond} {
			time.Sleep(b.wish() - left)
			rest, refused := b.rest(call(b, 0, errors.New("called")))
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
		b := newBreaker(BreakerOptions{Failures: 1, Open: time.Second, Probes: 1})
		for _, outcome := range []string{aborted, rejected} {
			_ = call(b, 0, &failure{outcome: outcome, err: errModel})
			if b.State() != gobreaker.StateClosed {
				t.Errorf("%s opened the breaker", outcome)
			}
		}
	})
}
