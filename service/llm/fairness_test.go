package llm_test

import (
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/service"
	"github.com/sentinel-chaos/sentinel/service/llm"
)

// asks is a question of a tenant to a model.
func asks(tenant, model string) service.Request {
	r := question()
	r.Tenant, r.Query.Model = tenant, model
	return r
}

// A model that asks for a pause, or fails for everybody, has no calls of another one held back.
func TestOneModelIsHeldBackAlone(t *testing.T) {
	for name, fail := range map[string]http.HandlerFunc{
		"a pause": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusTooManyRequests)
		},
		"nonsense": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "Sorry") },
	} {
		c, _ := model(t, llm.Options{Breaker: llm.BreakerOptions{Failures: 2, Open: time.Hour, Probes: 1}}, func(w http.ResponseWriter, r *http.Request) {
			var q struct{ Model string }
			if err := json.NewDecoder(r.Body).Decode(&q); err == nil && q.Model == "broken" {
				fail(w, r)
				return
			}
			_, _ = io.WriteString(w, good)
		})
		for _, tenant := range []string{"acme", "globex", "initech"} {
			_, _ = c.Complete(t.Context(), asks(tenant, "broken"))
		}
		if _, err := c.Complete(t.Context(), asks("acme", "broken")); reason(err) != service.ReasonBreaker {
			t.Errorf("%s: got %v, want it to be held back", name, err)
		}
		if _, err := c.Complete(t.Context(), asks("acme", "well")); err != nil {
			t.Errorf("%s: another model: %v", name, err)
		}
	}
}

// Five questions of one tenant that take longer than a call may have nobody else's refused.
func TestOneTenantsTimeoutsRefuseNobodyElse(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	c, seen := model(t, llm.Options{Timeout: 50 * time.Millisecond, Breaker: llm.BreakerOptions{Failures: 5, Open: time.Hour, Probes: 1}},
		func(w http.ResponseWriter, r *http.Request) {
			var q struct{ User string }
			if err := json.NewDecoder(r.Body).Decode(&q); err == nil && q.User == "slow" {
				<-release
				return
			}
			_, _ = io.WriteString(w, good)
		})
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() { _, _ = c.Complete(t.Context(), asks("slow", "fake-1")) })
	}
	all.Wait()
	c.Timeout, c.Budget = time.Minute, 2*time.Minute // whose question is not slow need not be answered in no time
	if _, err := c.Complete(t.Context(), asks("other", "fake-1")); err != nil {
		t.Errorf("after %v: %v", seen.of, err)
	}
}
