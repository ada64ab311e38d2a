package service_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sentinel-chaos/sentinel/service"
)

// cabinet is a Keys in memory.
type cabinet struct {
	mu    sync.Mutex
	down  bool
	keys  map[string]service.Identity // by hash; those that are valid
	asked int
}

func (c *cabinet) Identify(_ context.Context, hash string) (service.Identity, error) {
	time.Sleep(lookUp / 2)
	c.mu.Lock()
	found, ok := c.keys[hash]
	down := c.down
	c.asked++
	c.mu.Unlock()
	time.Sleep(lookUp / 2)
	switch {
	case down:
		return service.Identity{}, errDown
	case !ok:
		return service.Identity{}, service.ErrUnauthorized
	}
	return found, nil
}

func (c *cabinet) Add(_ context.Context, tenant, hash string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		return "", errDown
	}
	id := fmt.Sprint(len(c.keys) + 1)
	c.keys[hash] = service.Identity{Tenant: tenant, KeyID: id}
	return id, nil
}

func (c *cabinet) Revoke(_ context.Context, id string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		return errDown
	}
	for hash, key := range c.keys {
		if key.KeyID == id {
			delete(c.keys, hash)
			return nil
		}
	}
	return service.ErrNoKey
}

func (c *cabinet) List(context.Context, string) ([]service.Key, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		return nil, errDown
	}
	return []service.Key{{ID: "1", Tenant: "acme"}}, nil
}

// lookUp is how long the cabinet takes to find a key, and revocation how long a revoked key may work.
const (
	lookUp     = 10 * time.Millisecond
	revocation = 5*time.Second + lookUp
)

func (c *cabinet) change(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

func newAPIKeys(t *testing.T) (*service.APIKeys, *cabinet, string) {
	c := &cabinet{keys: map[string]service.Identity{}}
	ring := service.NewAPIKeys(c)
	key, _, err := ring.Issue(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	return ring, c, key
}

func TestKeyIsNeverStoredItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring, c, key := newAPIKeys(t)
		for hash := range c.keys {
			if strings.Contains(hash, key) || len(hash) != 64 {
				t.Errorf("stored %q for %q", hash, key)
			}
		}
		if who, err := ring.Authenticate(t.Context(), key); who != (service.Identity{Tenant: "acme", KeyID: "1"}) || err != nil {
			t.Errorf("got %+v, %v", who, err)
		}
		if _, err := ring.Authenticate(t.Context(), key+"x"); !errors.Is(err, service.ErrUnauthorized) {
			t.Errorf("a wrong key got %v", err)
		}
	})
}

func TestBurstLooksAKeyUpOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring, c, key := newAPIKeys(t)
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() { _, _ = ring.Authenticate(t.Context(), key) })
		}
		all.Wait()
		if c.asked != 1 {
			t.Errorf("asked %d times", c.asked)
		}
	})
}

// Whatever moment a key is revoked at, and however often it is used: here at once, elsewhere within the bound.
func TestRevokedKeyStopsWorkingOnEveryReplica(t *testing.T) {
	for revokedAt := time.Duration(0); revokedAt <= 6*time.Second; revokedAt += 501 * time.Millisecond {
		for _, pace := range []time.Duration{time.Millisecond, 3 * time.Second} {
			synctest.Test(t, func(t *testing.T) {
				here, c, key := newAPIKeys(t)
				elsewhere := service.NewAPIKeys(c)
				began := time.Now()
				for ; time.Since(began) < revokedAt; time.Sleep(pace) {
					_, _ = elsewhere.Authenticate(t.Context(), key)
				}
				_, _ = here.Authenticate(t.Context(), key)
				if err := here.Revoke(t.Context(), "1"); err != nil {
					t.Fatal(err)
				}
				if _, err := here.Authenticate(t.Context(), key); !errors.Is(err, service.ErrUnauthorized) {
					t.Errorf("on the replica that revoked it: %v", err)
				}
				for revoked := time.Now(); time.Since(revoked) < revocation; time.Sleep(pace) {
					_, _ = elsewhere.Authenticate(t.Context(), key)
				}
				if _, err := elsewhere.Authenticate(t.Context(), key); !errors.Is(err, service.ErrUnauthorized) {
					t.Errorf("on another replica, used every %s, revoked after %s: %v", pace, revokedAt, err)
				}
				time.Sleep(lookUp) // one may be under way
			})
		}
	}
}

func TestAdministration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring, c, _ := newAPIKeys(t)
		if keys, err := ring.List(t.Context(), ""); len(keys) != 1 || err != nil {
			t.Errorf("listed %+v, %v", keys, err)
		}
		if err := ring.Revoke(t.Context(), "7"); !errors.Is(err, service.ErrNoKey) {
			t.Errorf("revoked what is not there: %v", err)
		}
		c.change(func() { c.down = true })
		_, listed := ring.List(t.Context(), "")
		_, _, issued := ring.Issue(t.Context(), "acme")
		for what, err := range map[string]error{"list": listed, "revoke": ring.Revoke(t.Context(), "1"), "issue": issued} {
			if reason(err) != service.ReasonAuth {
				t.Errorf("%s while keys are away: %v", what, err)
			}
		}
	})
}

func TestBusyKeyIsRefreshedBesideItsRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring, _, key := newAPIKeys(t)
		_, _ = ring.Authenticate(t.Context(), key)
		for range 30 {
			time.Sleep(time.Second)
			asked := time.Now()
			if _, err := ring.Authenticate(t.Context(), key); err != nil || time.Since(asked) != 0 {
				t.Fatalf("waited %s, %v", time.Since(asked), err)
			}
		}
		time.Sleep(lookUp) // one may be under way
	})
}

func TestKeysWhileTheirStoreIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring, c, key := newAPIKeys(t)
		_, _ = ring.Authenticate(t.Context(), key)
		c.change(func() { c.down = true })
		time.Sleep(time.Minute)
		if who, err := ring.Authenticate(t.Context(), key); who.Tenant != "acme" || err != nil {
			t.Errorf("a known key got %+v, %v", who, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := ring.Authenticate(ctx, "other"); reason(err) != service.ReasonAuth {
			t.Errorf("an unknown key got %v", err)
		}
		go func() {
			time.Sleep(time.Second)
			c.change(func() { c.down = false })
		}()
		if _, err := ring.Authenticate(t.Context(), "other"); !errors.Is(err, service.ErrUnauthorized) {
			t.Errorf("an unknown key got %v once the store was back", err)
		}
	})
}
