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
