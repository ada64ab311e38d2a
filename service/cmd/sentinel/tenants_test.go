package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/sentinel-chaos/sentinel/service/internal/servers"
)

// Two tenants who ask the same, at the same time and under the same ids, get answers, calls and bills of their own, and neither can ask for
// the other's.
func TestTenantsAreApart(t *testing.T) {
	model := &echo{}
	s := serving(t, model, func(*Config) {})
	tenants := []string{"acme", "globex"}
	keys := map[string]string{}
	for _, tenant := range tenants {
		keys[tenant] = s.key(t, tenant)
	}
	const questions, times = 20, 3
	calls := struct {
		sync.Mutex
		of map[string]string
	}{of: map[string]string{}}
	for q := range questions {
		var asking sync.WaitGroup
		for range times {
			for _, tenant := range tenants {
				asking.Go(func() {
					id := fmt.Sprint("same-", q)
					status, got := s.clients.send("POST", "/v1/query", keys[tenant], asks(fmt.Sprint("question ", q)), "X-Request-Id", id)
					if status != 200 || got["answer"] != fmt.Sprintf("%s: question %d", tenant, q) || got["request_id"] != id {
						t.Errorf("%s got %d, %v", tenant, status, got)
					}
					call, _ := got["call_id"].(string)
					calls.Lock()
					defer calls.Unlock()
					if whose, known := calls.of[call]; known && whose != tenant {
						t.Errorf("%s and %s got one call, %s", whose, tenant, call)
					}
					calls.of[call] = tenant
				})
			}
		}
		asking.Wait()
	}
	if made := len(model.calls()); made != questions*len(tenants) {
		t.Errorf("%d calls for %d questions of each tenant", made, questions)
	}
	for _, tenant := range tenants {
		s.expectUsage(t, tenant, questions*times, questions)
	}
	s.expectNoForeignUsage(t, keys)
}

// expectUsage waits until a tenant's usage is this, to the last call.
func (s *served) expectUsage(t *testing.T, tenant string, requests, calls int) {
	t.Helper()
	want := map[string]any{"requests": float64(requests), "llm_calls": float64(calls), "cost_nanousd": float64(calls * (150 + 2*600))}
	servers.Await(t, "the usage of "+tenant, func(context.Context) error {
		status, got := s.operators.send("GET", "/v1/admin/usage?tenant="+tenant, administrator, "")
		if fmt.Sprint(got["total"]) != fmt.Sprint(want) {
			return fmt.Errorf("status %d, %v, not %v", status, got["total"], want)
		}
		return nil
	})
}

// expectNoForeignUsage: a tenant's key asks for what another one used, for its keys, and for an end of these.
func (s *served) expectNoForeignUsage(t *testing.T, keys map[string]string) {
	t.Helper()
	for tenant, key := range keys {
		for other := range keys {
			for _, ask := range []string{"GET /v1/admin/usage?tenant=" + other, "GET /v1/admin/keys?tenant=" + other, "DELETE /v1/admin/keys/1",
				"DELETE /v1/admin/keys/2"} {
				method, target, _ := strings.Cut(ask, " ")
				got := told(t, s.config.Listen, rawRequest(method, target, "", closing, bearing(key), "X-Tenant: "+other))
				if got.status != 401 || strings.Contains(got.body, "requests") {
					t.Errorf("%s of %s: status %d, %s", ask, tenant, got.status, got.body)
				}
			}
		}
		for other := range keys { // fields of a body that some would take for the one who asks
			for _, field := range []string{"tenant", "user", "api_key", "key_id"} {
				body := fmt.Sprintf(`{"model":"m","prompt":"question 0","max_tokens":8,%q:%q}`, field, other)
				if status, got := s.clients.send("POST", "/v1/query", key, body); status != 422 {
					t.Errorf("%s with %s: %d, %v", tenant, field, status, got)
				}
			}
			status, got := s.clients.send("POST", "/v1/query", key, asks("question 0"), "X-Tenant", other, "X-Forwarded-User", other, "OpenAI-Organization", other)
			if status != 200 || got["answer"] != tenant+": question 0" {
				t.Errorf("%s with headers of %s got %d, %v", tenant, other, status, got)
			}
		}
	}
}
