// Package dependency bounds the time that is spent on a dependency that does not answer.
package dependency

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff is the waiting between attempts. Each wait is longer by half than the one before, up to Most. A random part is taken
// off, so that replicas which wait for the same thing do not ask for it in step.
type Backoff struct {
	Next, Most time.Duration
}

// Wait sleeps, or returns the context's error as soon as that ends.
func (b *Backoff) Wait(ctx context.Context) error {
	length := b.Next/2 + rand.N(b.Next/2+1)
	b.Next = min(b.Next+b.Next/2, b.Most)
	return Sleep(ctx, length)
}

// Sleep sleeps for all of length, or returns the context's error as soon as that ends.
func Sleep(ctx context.Context, length time.Duration) error {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
