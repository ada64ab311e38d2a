package service

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"sync"
	"time"
)

// Ages of a key that was looked up, from which it is looked up again: beside the request, which saves it the wait, and
// before it, which bounds how long a revoked key still works.
const (
	refreshAge = 5 * time.Second
	expiredAge = 10 * time.Second
)

// Keyring authenticates API keys. It remembers those that it has seen, so that a known key keeps working while the place
// where keys are kept is away.
type Keyring struct {
	keys  Keys
	mu    sync.Mutex
	known map[string]*knownKey
}

type knownKey struct {
	tenant     string
	seen       time.Time
	refreshing bool
}

// NewKeyring makes an empty Keyring.
func NewKeyring(keys Keys) *Keyring {
	return &Keyring{keys: keys, known: make(map[string]*knownKey)}
}

// Tenant returns the tenant that the key belongs to, ErrUnauthorized, or an Unavailable.
func (k *Keyring) Tenant(ctx context.Context, key string) (string, error) {
	hash := hashKey(key)
	tenant, age := k.recall(hash)
	switch {
	case tenant != "" && age < refreshAge:
		return tenant, nil
	case tenant != "" && age < expiredAge:
		k.refresh(ctx, hash)
		return tenant, nil
	}
	found, err := k.lookUp(ctx, hash)
	if err == nil || errors.Is(err, ErrUnauthorized) {
		return found, err
	}
	if tenant != "" {
		return tenant, nil
	}
	return "", &Unavailable{Reason: ReasonAuth, RetryAfter: retrySoon, Err: err}
}

func (k *Keyring) recall(hash string) (tenant string, age time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	known, ok := k.known[hash]
	if !ok {
		return "", 0
	}
	return known.tenant, time.Since(known.seen)
}

// refresh looks the key up on a goroutine of its own, one at a time.
func (k *Keyring) refresh(ctx context.Context, hash string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	known, ok := k.known[hash]
	if !ok || known.refreshing {
		return
	}
	known.refreshing = true
	go func() {
		_, _ = k.lookUp(context.WithoutCancel(ctx), hash) // a failure leaves the key as it is, to age
		k.mu.Lock()
		defer k.mu.Unlock()
		known.refreshing = false
	}()
}

// lookUp asks where keys are kept, and remembers what it learns.
func (k *Keyring) lookUp(ctx context.Context, hash string) (string, error) {
	tenant, err := k.keys.Tenant(ctx, hash)
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case err == nil:
		k.known[hash] = &knownKey{tenant: tenant, seen: time.Now()}
	case errors.Is(err, ErrUnauthorized):
		delete(k.known, hash)
	}
	return tenant, err
}

// Issue makes a new key for the tenant. Only its hash is kept: the key itself is returned once and never again.
func (k *Keyring) Issue(ctx context.Context, tenant string) (key, id string, err error) {
	key = "sk-" + rand.Text()
	id, err = k.keys.Add(ctx, tenant, hashKey(key))
	if err != nil {
		return "", "", &Unavailable{Reason: ReasonAuth, RetryAfter: retrySoon, Err: err}
	}
	return key, id, nil
}

func hashKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}
