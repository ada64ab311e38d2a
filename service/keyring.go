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

	"github.com/sentinel-chaos/sentinel/service/patience"
)

// Ages of a key that was looked up, from which it is looked up again: beside the request, which saves it the wait, and
// before it, which bounds how long a revoked key still works.
const (
	refreshAge = 5 * time.Second
	expiredAge = 10 * time.Second
)

// How often a key that nobody remembers is looked up again while the place where keys are kept is away.
const (
	firstLookUp   = 20 * time.Millisecond
	longestLookUp = 200 * time.Millisecond
)

// Keyring authenticates API keys. It remembers those that it has seen, so that a known key keeps working while the place
// where keys are kept is away.
type Keyring struct {
	keys    Keys
	lookUps singleflight.Group // by hash; a burst of requests with one key asks once
	mu      sync.Mutex
	known   map[string]knownKey
}

type knownKey struct {
	tenant string
	seen   time.Time
}

// NewKeyring makes an empty Keyring.
func NewKeyring(keys Keys) *Keyring {
	return &Keyring{keys: keys, known: make(map[string]knownKey)}
}

// Tenant returns the tenant that the key belongs to, ErrUnauthorized, or an Unavailable once the context has ended.
func (k *Keyring) Tenant(ctx context.Context, key string) (string, error) {
	hash := hashKey(key)
	known, age := k.recall(hash)
	switch {
	case known != "" && age < refreshAge:
		return known, nil
	case known != "" && age < expiredAge:
		k.startLookUp(ctx, hash)
		return known, nil
	}
	for pause := (patience.Pause{Next: firstLookUp, Most: longestLookUp}); ; {
		tenant, err := k.lookUp(ctx, hash)
		switch {
		case err == nil || errors.Is(err, ErrUnauthorized):
			return tenant, err
		case known != "":
			return known, nil
		}
		if pause.Wait(ctx) != nil {
			return "", &Unavailable{Reason: ReasonAuth, RetryAfter: retrySoon, Err: err}
		}
	}
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

// lookUp asks where keys are kept, together with everybody who asks for the same key.
func (k *Keyring) lookUp(ctx context.Context, hash string) (string, error) {
	select {
	case found := <-k.startLookUp(ctx, hash):
		tenant, _ := found.Val.(string)
		return tenant, found.Err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// startLookUp asks on a goroutine of its own, which no single request's end cancels; Keys bounds it.
func (k *Keyring) startLookUp(ctx context.Context, hash string) <-chan singleflight.Result {
	return k.lookUps.DoChan(hash, func() (any, error) {
		tenant, err := k.keys.Tenant(context.WithoutCancel(ctx), hash)
		k.remember(hash, tenant, err)
		return tenant, err
	})
}

func (k *Keyring) remember(hash, tenant string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case err == nil:
		k.known[hash] = knownKey{tenant: tenant, seen: time.Now()}
	case errors.Is(err, ErrUnauthorized):
		delete(k.known, hash)
	}
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
