package env

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// pollEvery is how often Await asks: often enough to add little to a start, seldom enough to leave the CPU to it.
const pollEvery = 50 * time.Millisecond

// pollTimeout bounds one question, since a dead container's address is a black hole.
const pollTimeout = 2 * time.Second

// Await asks until ready returns nil. When ctx ends first, the error names what was awaited and ready's last answer.
func Await(ctx context.Context, what string, ready func(context.Context) error) error {
	t := time.NewTicker(pollEvery)
	defer t.Stop()
	var last error
	for {
		one, cancel := context.WithTimeout(ctx, pollTimeout)
		err := ready(one)
		cancel()
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil { // a question that ctx cut short says nothing of the system
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("await %s: %w (last: %w)", what, context.Cause(ctx), last)
		case <-t.C:
		}
	}
}

// Sleep waits for d. It returns the cause of ctx's end if ctx has ended by then, and does so at once when ctx ends.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
	return context.Cause(ctx)
}

// ErrNotYet is a plain "no" for Await.
var ErrNotYet = errors.New("not yet")
