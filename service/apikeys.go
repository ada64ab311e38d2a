package service

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/sentinel-chaos/sentinel/service/dependency"
)

// Ages of a remembered key from which it is looked up again. From refreshAge that happens beside the request, which saves the
// request the wait. From expiredAge it happens before the request, which bounds how long a revoked key still works. A busy key
// costs each replica one look-up per refreshAge. That the key store does not know a key is believed until expiredAge.
const (
	refreshAge = 2500 * time.Millisecond
	expiredAge = 5 * time.Second
)

// knownPatience is how long a request with a known key waits for its look-up. A key store that takes longer is slow, and a hit needs none.
const knownPatience = 100 * time.Millisecond

// lookUpBudgets is how many budgets of the key store a look-up may take, and how many a request waits for that of a key that nobody
// remembers: one to find out that the key store is unavailable, and two for it to be back.
const lookUpBudgets = 3

// How often a key that nobody remembers is looked up again while the key store is unavailable.
const (
	firstLookUp   = 20 * time.Millisecond
	longestLookUp = 200 * time.Millisecond
)

// mostUnknown bounds how many keys are remembered that the key store does not know: whoever makes them up has more.
const mostUnknown = 4096

// Identity is whose a request is, and by which API key.
type Identity struct {
	Tenant string // slug of the organisation
	KeyID  string
}

// Key is an API key as administrators see it. The key itself is known to its owner only.
type Key struct {
	ID      string
	Tenant  string
	Created time.Time
	Revoked time.Time // zero if it is valid
}

// APIKeys authenticates API keys. It remembers those that it has seen, so that a known key keeps working through an outage of the
// key store, however long. While the key store answers within knownPatience, a revoked key works nowhere longer than expiredAge and the
// time of one look-up.
type APIKeys struct {
	store       KeyStore
	budget      time.Duration
	lookUps     singleflight.Group // by hash; a burst of requests with one key asks once
	strangers   chan struct{}      // holds a token for each look-up of a key that is not known
	mu          sync.Mutex
	known       map[string]knownKey
	unknown     map[string]time.Time // when the look-up began, by hash
	revocations int                  // on this replica
}

type knownKey struct {
	Identity
	lookedUp time.Time // when the look-up began that found it
}

// NewAPIKeys makes an APIKeys that remembers none, for a key store with that budget of one operation. So many keys that are not known are
// looked up at a time.
func NewAPIKeys(store KeyStore, budget time.Duration, maxLookUps int) *APIKeys {
	return &APIKeys{store: store, budget: budget, strangers: make(chan struct{}, maxLookUps),
		known: make(map[string]knownKey), unknown: make(map[string]time.Time)}
}

// Authenticate returns whose key it is, ErrUnauthorized, or an Unavailable if the key store cannot tell now.
func (k *APIKeys) Authenticate(ctx context.Context, key string) (Identity, error) {
	hash := hashKey(key)
	known, ok := k.recall(hash)
	age := time.Since(known.lookedUp)
	switch {
	case ok && age < refreshAge:
		return known.Identity, nil
	case ok && age < expiredAge:
		k.startLookUp(ctx, hash)
		return known.Identity, nil
	case !ok && k.isUnknown(hash):
		return Identity{}, ErrUnauthorized
	}
	if !ok {
		return k.firstSeen(ctx, hash)
	}
	found, err := k.lookUp(ctx, hash, knownPatience)
	if err == nil || errors.Is(err, ErrUnauthorized) {
		return found, err
	}
	if known, ok = k.recall(hash); !ok {
		return Identity{}, ErrUnauthorized // it was revoked meanwhile
	}
	return known.Identity, nil
}

// firstSeen looks up a key that nobody remembers. A key store that is unavailable has all of that time to be back: a probe may already be on
// its way that finds it well. And one that was late, as in a crowd of requests, has it for another answer.
func (k *APIKeys) firstSeen(ctx context.Context, hash string) (Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, lookUpBudgets*k.budget)
	defer cancel()
	for backoff := (dependency.Backoff{Next: firstLookUp, Most: longestLookUp}); ; {
		found, err := k.lookUp(ctx, hash, lookUpBudgets*k.budget)
		if err == nil || errors.Is(err, ErrUnauthorized) {
			return found, err
		}
		late := errors.Is(err, dependency.ErrLate)
		if !late && !errors.Is(err, dependency.ErrUnavailable) || backoff.Wait(ctx) != nil {
			return Identity{}, keysUnavailable(err)
		}
	}
}

func (k *APIKeys) recall(hash string) (knownKey, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	known, ok := k.known[hash]
	return known, ok
}

func (k *APIKeys) isUnknown(hash string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	asked, ok := k.unknown[hash]
	return ok && time.Since(asked) < expiredAge
}

// lookUp asks the key store, together with everybody who asks for the same key, and waits for so long.
func (k *APIKeys) lookUp(ctx context.Context, hash string, patience time.Duration) (Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case found := <-k.startLookUp(ctx, hash):
		identity, _ := found.Val.(Identity)
		return identity, found.Err
	case <-ctx.Done():
		return Identity{}, ctx.Err()
	}
}

// startLookUp asks on a goroutine of its own, which no single request's end cancels. Of keys that are not known, which anybody can make
// up, only so many are looked up at a time.
func (k *APIKeys) startLookUp(ctx context.Context, hash string) <-chan singleflight.Result {
	return k.lookUps.DoChan(hash, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookUpBudgets*k.budget)
		defer cancel()
		if _, ok := k.recall(hash); ok {
			return k.identify(ctx, hash)
		}
		select {
		case k.strangers <- struct{}{}:
			defer func() { <-k.strangers }()
			return k.identify(ctx, hash)
		default:
			return Identity{}, &Unavailable{Reason: ReasonOverloaded, RetryAfter: retrySoon}
		}
	})
}

// identify asks the key store, and once more if a key was revoked meanwhile: what was found may be that one.
func (k *APIKeys) identify(ctx context.Context, hash string) (Identity, error) {
	for {
		asked, revocations := time.Now(), k.revoked() // what is found may be revoked while it is on its way
		found, err := k.store.Identify(ctx, hash)
		if k.remember(hash, knownKey{found, asked}, err, revocations) {
			return found, err
		}
	}
}

func (k *APIKeys) revoked() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.revocations
}

// remember returns false if there were more than so many revocations by now, and what was found may be out of date.
func (k *APIKeys) remember(hash string, found knownKey, err error, revocations int) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case err == nil && k.revocations != revocations:
		return false
	case err == nil:
		k.known[hash] = found
	case errors.Is(err, ErrUnauthorized):
		k.rememberUnknown(hash, found.lookedUp)
		delete(k.known, hash)
	}
	return true
}

// rememberUnknown makes room first if there is none: for those that are over or, if none is, for all.
func (k *APIKeys) rememberUnknown(hash string, asked time.Time) {
	if len(k.unknown) >= mostUnknown {
		maps.DeleteFunc(k.unknown, func(_ string, asked time.Time) bool { return time.Since(asked) >= expiredAge })
	}
	if len(k.unknown) >= mostUnknown {
		clear(k.unknown)
	}
	k.unknown[hash] = asked
}

// Issue makes a new key for the tenant. Only its hash is kept: the key itself is returned once and never again.
func (k *APIKeys) Issue(ctx context.Context, tenant string) (key, id string, err error) {
	key = "sk-" + rand.Text()
	id, err = k.store.Add(ctx, tenant, hashKey(key))
	if err != nil {
		return "", "", keysUnavailable(err)
	}
	return key, id, nil
}

// Revoke ends a key for good, on this replica at once and on the others as APIKeys says, or returns ErrNoKey.
func (k *APIKeys) Revoke(ctx context.Context, id string) error {
	err := k.store.Revoke(ctx, id)
	switch {
	case errors.Is(err, ErrNoKey):
		return ErrNoKey
	case err != nil:
		return keysUnavailable(err)
	}
	k.forget(id)
	return nil
}

func (k *APIKeys) forget(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.revocations++
	for hash, known := range k.known {
		if known.KeyID == id {
			delete(k.known, hash)
		}
	}
}

// List returns the tenant's keys, or with "" everybody's, the newest first.
func (k *APIKeys) List(ctx context.Context, tenant string) ([]Key, error) {
	keys, err := k.store.List(ctx, tenant)
	if err != nil {
		return nil, keysUnavailable(err)
	}
	return keys, nil
}

// keysUnavailable is the error of a key store that does not answer, or is not asked.
func keysUnavailable(err error) error {
	var u *Unavailable
	if errors.As(err, &u) {
		return u
	}
	return &Unavailable{Reason: ReasonAuth, RetryAfter: retrySoon, Err: err}
}

func hashKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}
