package service_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sentinel-chaos/sentinel/service"
	"github.com/sentinel-chaos/sentinel/service/dependency"
)

// cabinet is a Keys in memory.
type cabinet struct {
	mu    sync.Mutex
	down  bool
	keys  map[string]service.Identity // by hash; those that are valid
	slow  time.Duration               // that a look-up takes longer
	asked int
	now   int // look-ups under way
	most  int // that ever were
}

func (c *cabinet) Identify(_ context.Context, hash string) (service.Identity, error) {
	c.mu.Lock()
	c.now++
	c.most = max(c.most, c.now)
	slow := c.slow
	c.mu.Unlock()
	time.Sleep(lookUp/2 + slow)
	c.mu.Lock()
	found, ok := c.keys[hash]
	down := c.down
	c.asked++
	c.mu.Unlock()
	time.Sleep(lookUp / 2)
	c.change(func() { c.now-- })
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

// keyBudget is how long a request waits for the cabinet, and maxLookUps how many keys that nobody knows are looked up at a time.
const (
	keyBudget  = 500 * time.Millisecond
	maxLookUps = 20
)

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
	ring := service.NewAPIKeys(c, keyBudget, maxLookUps)
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
				elsewhere := service.NewAPIKeys(c, keyBudget, maxLookUps)
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
		if _, err := ring.Authenticate(t.Context(), "other"); reason(err) != service.ReasonAuth {
			t.Errorf("an unknown key got %v", err)
		}
		c.change(func() { c.down = false })
		if _, err := ring.Authenticate(t.Context(), "other"); !errors.Is(err, service.ErrUnauthorized) {
			t.Errorf("an unknown key got %v once the store was back", err)
		}
	})
}

// A store that takes its time keeps nobody waiting for long: a known key for a moment, an unknown one for some budgets.
func TestKeysWhileTheirStoreIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring, c, key := newAPIKeys(t)
		_, _ = ring.Authenticate(t.Context(), key)
		c.change(func() { c.slow = 5 * time.Second })
		time.Sleep(time.Minute)
		began := time.Now()
		if who, err := ring.Authenticate(t.Context(), key); who.Tenant != "acme" || err != nil || time.Since(began) > 100*time.Millisecond {
			t.Errorf("a known key got %+v, %v after %s", who, err, time.Since(began))
		}
		began = time.Now()
		if _, err := ring.Authenticate(t.Context(), "other"); reason(err) != service.ReasonAuth || time.Since(began) > 3*keyBudget {
			t.Errorf("an unknown key got %v after %s", err, time.Since(began))
		}
		time.Sleep(time.Minute) // look-ups end
	})
}

// silent is a key store behind a gate that replies to nobody, until it is back.
type silent struct {
	cabinet
	gate *dependency.Gate
	back atomic.Bool
}

func newSilent() *silent {
	s := &silent{}
	s.gate = dependency.NewGate(dependency.Options{Name: "keys", Budget: keyBudget, Slots: 8,
		Probe: func(ctx context.Context) error { return s.reply(ctx) }, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	return s
}

func (s *silent) reply(ctx context.Context) error {
	if s.back.Load() {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

func (s *silent) Identify(ctx context.Context, hash string) (service.Identity, error) {
	if err := s.gate.Do(ctx, s.reply); err != nil {
		return service.Identity{}, err
	}
	return s.cabinet.Identify(ctx, hash)
}

// While the store is silent, each unknown key is refused within three budgets, however many come at once: one to find that out, and two for
// the store to be back.
func TestUnknownKeysWhileTheirStoreIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring := service.NewAPIKeys(newSilent(), keyBudget, 100)
		var all sync.WaitGroup
		for i := range 60 {
			all.Go(func() {
				began := time.Now()
				if _, err := ring.Authenticate(t.Context(), fmt.Sprint(i)); reason(err) != service.ReasonAuth || time.Since(began) > 3*keyBudget {
					t.Errorf("%v after %s", err, time.Since(began))
				}
			})
		}
		all.Wait()
	})
}

// A new key that comes while the store is taken for unavailable, or whose own look-up finds that out, is let in once a probe has found the store
// well.
func TestNewKeyWaitsForItsStore(t *testing.T) {
	for name, back := range map[string]time.Duration{"before it comes": 0, "while it waits": keyBudget + keyBudget/4} {
		t.Run("the store is back "+name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSilent()
				s.keys = make(map[string]service.Identity)
				ring := service.NewAPIKeys(s, keyBudget, 100)
				key, _, err := ring.Issue(t.Context(), "acme")
				if err != nil {
					t.Fatal(err)
				}
				if back == 0 { // then it is taken for unavailable still
					if _, err := ring.Authenticate(t.Context(), key); reason(err) != service.ReasonAuth {
						t.Fatalf("while the store is silent a key got %v", err)
					}
				}
				ctx, cancel := context.WithCancel(t.Context())
				var watch sync.WaitGroup
				watch.Go(func() { s.gate.Watch(ctx) })
				time.AfterFunc(back, func() { s.back.Store(true) })
				if who, err := ring.Authenticate(t.Context(), key); who.Tenant != "acme" || err != nil {
					t.Errorf("it got %+v, %v", who, err)
				}
				cancel()
				watch.Wait()
			})
		})
	}
}

// A store that was late with the first look-up of a new key, as in a crowd of requests, may answer the next one.
func TestNewKeyIsLookedUpAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &tardy{}
		s.keys = make(map[string]service.Identity)
		ring := service.NewAPIKeys(s, keyBudget, 100)
		key, _, err := ring.Issue(t.Context(), "acme")
		if err != nil {
			t.Fatal(err)
		}
		s.late.Store(1)
		if who, err := ring.Authenticate(t.Context(), key); who.Tenant != "acme" || err != nil {
			t.Errorf("it got %+v, %v", who, err)
		}
		s.late.Store(1 << 40)
		began := time.Now()
		if _, err := ring.Authenticate(t.Context(), "another"); reason(err) != service.ReasonAuth || time.Since(began) > 3*keyBudget {
			t.Errorf("of a store that is always late: %v after %s", err, time.Since(began))
		}
		time.Sleep(keyBudget) // the last look-up
	})
}

// tardy is a key store that answers others, and is late with so many look-ups.
type tardy struct {
	cabinet
	late atomic.Int64
}

func (s *tardy) Identify(ctx context.Context, hash string) (service.Identity, error) {
	if s.late.Add(-1) >= 0 {
		time.Sleep(keyBudget)
		return service.Identity{}, fmt.Errorf("keys: %w", dependency.ErrLate)
	}
	return s.cabinet.Identify(ctx, hash)
}

// What the store said of an unknown key is remembered for a while.
func TestUnknownKeysAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring, c, _ := newAPIKeys(t)
		for i := range 200 {
			if _, err := ring.Authenticate(t.Context(), fmt.Sprint("unknown ", i%10)); !errors.Is(err, service.ErrUnauthorized) {
				t.Fatal(err)
			}
		}
		if c.asked != 10 {
			t.Errorf("asked %d times", c.asked)
		}
	})
}

// A key is refused from the moment on at which its revocation is confirmed, whatever look-up is on its way.
func TestRevocationOvertakesALookUp(t *testing.T) {
	for _, known := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			ring, _, key := newAPIKeys(t)
			if known {
				_, _ = ring.Authenticate(t.Context(), key)
				time.Sleep(time.Minute)
			}
			answered := make(chan error, 1)
			go func() {
				_, err := ring.Authenticate(t.Context(), key)
				answered <- err
			}()
			time.Sleep(lookUp * 3 / 4) // the row is read, and on its way
			if err := ring.Revoke(t.Context(), "1"); err != nil {
				t.Fatal(err)
			}
			if err := <-answered; !errors.Is(err, service.ErrUnauthorized) {
				t.Errorf("known %t: whoever waited for the look-up got %v", known, err)
			}
			if _, err := ring.Authenticate(t.Context(), key); !errors.Is(err, service.ErrUnauthorized) {
				t.Errorf("known %t: whoever came afterwards got %v", known, err)
			}
		})
	}
}

// Whoever comes with keys that nobody knows has so many looked up at a time, whether they wait for it or not. Known keys are looked up as ever.
func TestLookUpsOfStrangersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring, c, key := newAPIKeys(t)
		_, _ = ring.Authenticate(t.Context(), key)
		c.change(func() { c.slow = time.Second })
		time.Sleep(time.Minute)
		gone, leave := context.WithCancel(t.Context())
		leave()
		for i := range 1000 {
			_, _ = ring.Authenticate(gone, fmt.Sprint("unknown ", i))
		}
		synctest.Wait() // for the look-ups to begin, which nobody awaits
		if _, err := ring.Authenticate(t.Context(), "one more"); reason(err) != service.ReasonOverloaded {
			t.Errorf("one more got %v", err)
		}
		_, _ = ring.Authenticate(t.Context(), key)
		time.Sleep(time.Minute)
		c.change(func() {
			if c.most > maxLookUps+1 || c.most < maxLookUps {
				t.Errorf("at most %d look-ups at a time", c.most)
			}
		})
	})
}
