package service

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/sentinel-chaos/sentinel/service/dependency"
)

// Ages of a remembered key from which it is looked up again. From refreshAge that happens beside the request, which saves the
// request the wait. From expiredAge it happens before the request, which bounds how long a revoked key still works. A busy key
// costs each replica one look-up per refreshAge.
const (
	refreshAge = 2500 * time.Millisecond
	expiredAge = 5 * time.Second
)

// How often a key that nobody remembers is looked up again while the key store is unavailable.
const (
	firstLookUp   = 20 * time.Millisecond
	longestLookUp = 200 * time.Millisecond
)

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
// key store, however long. While the key store answers, a revoked key works nowhere longer than expiredAge and the time of
// one look-up.
type APIKeys struct {
	store   KeyStore
	lookUps singleflight.Group // by hash; a burst of requests with one key asks once
	mu      sync.Mutex
	known   map[string]knownKey
}

type knownKey struct {
	Identity
	lookedUp time.Time // when the look-up began that found it
}

// NewAPIKeys makes an APIKeys that remembers none.
func NewAPIKeys(store KeyStore) *APIKeys {
	return &APIKeys{store: store, known: make(map[string]knownKey)}
}

// Authenticate returns whose key it is, ErrUnauthorized, or an Unavailable once the context has ended.
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
	}
	for backoff := (dependency.Backoff{Next: firstLookUp, Most: longestLookUp}); ; {
		found, err := k.lookUp(ctx, hash)
		switch {
		case err == nil || errors.Is(err, ErrUnauthorized):
			return found, err
		case ok:
			return known.Identity, nil
		}
		if backoff.Wait(ctx) != nil {
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

// lookUp asks the key store, together with everybody who asks for the same key.
func (k *APIKeys) lookUp(ctx context.Context, hash string) (Identity, error) {
	select {
	case found := <-k.startLookUp(ctx, hash):
		identity, _ := found.Val.(Identity)
		return identity, found.Err
	case <-ctx.Done():
		return Identity{}, ctx.Err()
	}
}

// startLookUp asks on a goroutine of its own, which no single request's end cancels; the key store bounds it.
func (k *APIKeys) startLookUp(ctx context.Context, hash string) <-chan singleflight.Result {
	return k.lookUps.DoChan(hash, func() (any, error) {
		asked := time.Now() // what is found may be revoked while it is on its way
		found, err := k.store.Identify(context.WithoutCancel(ctx), hash)
		k.remember(hash, knownKey{found, asked}, err)
		return found, err
	})
}

func (k *APIKeys) remember(hash string, found knownKey, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case err == nil:
		k.known[hash] = found
	case errors.Is(err, ErrUnauthorized):
		delete(k.known, hash)
	}
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

// keysUnavailable is the error of a key store that does not answer.
func keysUnavailable(err error) error {
	return &Unavailable{Reason: ReasonAuth, RetryAfter: retrySoon, Err: err}
}

func hashKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}
