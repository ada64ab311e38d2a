package load

import (
	"context"
	"time"
)

// Go's timers are late by up to a millisecond, the kernel's by some 60 microseconds. So a wait has three parts: a timer,
// which the end of the run can cut short, then the kernel's sleep, then a short spin.
const (
	timerSlack  = 3 * time.Millisecond
	kernelSlack = 150 * time.Microsecond
)

// waitUntil returns at the moment due, as now counts it, or false at once when ctx ends.
func waitUntil(ctx context.Context, due time.Duration, now func() time.Duration) bool {
	if far := due - now() - timerSlack; far > 0 {
		t := time.NewTimer(far)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return false
		}
	}
	if near := due - now() - kernelSlack; near > 0 {
		kernelSleep(near)
	}
	for now() < due {
	}
	return ctx.Err() == nil
}
