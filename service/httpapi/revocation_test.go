package httpapi_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sentinel-chaos/sentinel/service"
	"github.com/sentinel-chaos/sentinel/service/httpapi"
)

// cabinet keeps one key for all replicas.
type cabinet struct {
	mu      sync.Mutex
	revoked bool
}

func (c *cabinet) Identify(context.Context, string) (service.Identity, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.revoked {
		return service.Identity{}, service.ErrUnauthorized
	}
	return service.Identity{Tenant: "acme", KeyID: "7"}, nil
}

func (c *cabinet) Revoke(context.Context, string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.revoked = true
	return nil
}

func (c *cabinet) Add(context.Context, string, string) (string, error) { return "7", nil }
func (c *cabinet) List(context.Context, string) ([]service.Key, error) { return nil, nil }

// A key that one replica is told to revoke is refused by another one five seconds later at the latest.
func TestRevokedKeyIsRefusedByAnotherReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := &cabinet{}
		replica := func() *httpapi.API {
			a, _ := newAPI(fine, func(o *httpapi.Options) { o.APIKeys = service.NewAPIKeys(shared, time.Second, 10) })
			return a
		}
		here, elsewhere := replica(), replica()
		status := func() int {
			resp, _ := do(t, elsewhere, "POST", "/v1/query", query, "Authorization", "Bearer sk-1")
			return resp.StatusCode
		}
		if got := status(); got != 200 {
			t.Fatalf("before: status %d", got)
		}
		if code, body := administer(t, here, "DELETE", "/v1/admin/keys/7", "admin", ""); code != 204 {
			t.Fatalf("revoke: status %d, %s", code, body)
		}
		revoked := time.Now()
		for status() == 200 {
			time.Sleep(10 * time.Millisecond)
		}
		if took := time.Since(revoked); took > 5*time.Second {
			t.Errorf("it worked for another %s", took)
		}
		if got := status(); got != 401 {
			t.Errorf("afterwards: status %d", got)
		}
	})
}
