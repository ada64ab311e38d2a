// Package patience bounds the time that is spent on a dependency that does not answer.
package patience

import (
	"context"
	"math/rand/v2"
	"time"
)

// Pause is the waiting between attempts: each time longer by half, up to Most, and by a random part shorter, so that
// replicas which wait for the same thing do not ask for it in step.
type Pause struct {
	Next, Most time.Duration
}

// Wait sleeps, or returns the context's error as soon as that ends.
func (p *Pause) Wait(ctx context.Context) error {
	length := p.Next/2 + rand.N(p.Next/2+1)
	p.Next = min(p.Next+p.Next/2, p.Most)
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
