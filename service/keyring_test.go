package service_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sentinel-chaos/sentinel/service"
)

// cabinet is a Keys in memory.
type cabinet struct {
	mu      sync.Mutex
	down    bool
	tenants map[string]string
	asked   int
}

func (c *cabinet) Tenant(_ context.Context, hash string) (string, error) {
	time.Sleep(10 * time.Millisecond)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	if c.down {
		return "", errDown
	}
	if tenant, ok := c.tenants[hash]; ok {
		return tenant, nil
	}
	return "", service.ErrUnauthorized
}

func (c *cabinet) Add(_ context.Context, tenant, hash string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		return "", errDown
	}
	c.tenants[hash] = tenant
	return "1", nil
}

func (c *cabinet) change(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

func newKeyring(t *testing.T) (*service.Keyring, *cabinet, string) {
	c := &cabinet{tenants: map[string]string{}}
	ring := service.NewKeyring(c)
	key, _, err := ring.Issue(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	return ring, c, key
}

func TestKeyIsNeverStoredItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring, c, key := newKeyring(t)
		for hash := range c.tenants {
			if strings.Contains(hash, key) || len(hash) != 64 {
				t.Errorf("stored %q for %q", hash, key)
			}
		}
		if tenant, err := ring.Tenant(t.Context(), key); tenant != "acme" || err != nil {
			t.Errorf("got %q, %v", tenant, err)
		}
		if _, err := ring.Tenant(t.Context(), key+"x"); !errors.Is(err, service.ErrUnauthorized) {
			t.Errorf("a wrong key got %v", err)
		}
	})
}

func TestBurstLooksAKeyUpOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring, c, key := newKeyring(t)
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() { _, _ = ring.Tenant(t.Context(), key) })
		}
		all.Wait()
		if c.asked != 1 {
			t.Errorf("asked %d times", c.asked)
		}
	})
}

func TestRevokedKeyStopsWorkingWithinTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring, c, key := newKeyring(t)
		_, _ = ring.Tenant(t.Context(), key)
		c.change(func() { clear(c.tenants) })
		time.Sleep(10 * time.Second)
		if _, err := ring.Tenant(t.Context(), key); !errors.Is(err, service.ErrUnauthorized) {
			t.Errorf("got %v", err)
		}
	})
}

func TestBusyKeyIsRefreshedBesideItsRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring, _, key := newKeyring(t)
		_, _ = ring.Tenant(t.Context(), key)
		for range 30 {
			time.Sleep(time.Second)
			asked := time.Now()
			if _, err := ring.Tenant(t.Context(), key); err != nil || time.Since(asked) != 0 {
				t.Fatalf("waited %s, %v", time.Since(asked), err)
			}
		}
		synctest.Wait()
	})
}

func TestKeysWhileTheirStoreIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring, c, key := newKeyring(t)
		_, _ = ring.Tenant(t.Context(), key)
		c.change(func() { c.down = true })
		time.Sleep(time.Minute)
		if tenant, err := ring.Tenant(t.Context(), key); tenant != "acme" || err != nil {
			t.Errorf("a known key got %q, %v", tenant, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := ring.Tenant(ctx, "other"); reason(err) != service.ReasonAuth {
			t.Errorf("an unknown key got %v", err)
		}
		go func() {
			time.Sleep(time.Second)
			c.change(func() { c.down = false })
		}()
		if _, err := ring.Tenant(t.Context(), "other"); !errors.Is(err, service.ErrUnauthorized) {
			t.Errorf("an unknown key got %v once the store was back", err)
		}
	})
}
