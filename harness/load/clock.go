package load

import (
	"context"
	"time"
)

// Go's timers are late by up to a millisecond, and by much more when other threads of the process wait for a processor;
// the kernel's sleep is late by ten or twenty microseconds. So a precise wait has three parts: a timer, which the end of the
// run can cut short, then the kernel's sleep, then a short spin.
const (
	timerSlack  = 20 * time.Millisecond
	kernelSlack = 30 * time.Microsecond
)

// clock is the run's time.
type clock struct {
	now   func() time.Duration // since the run's epoch
	start time.Duration        // of the load, on the same clock
}

// sleepUntil returns at about the moment t, or false at once when ctx ends.
func (c clock) sleepUntil(ctx context.Context, t time.Duration) bool {
	timer := time.NewTimer(t - c.now())
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// waitUntil returns at the moment t, to within some ten microseconds, or false at once when ctx ends.
func (c clock) waitUntil(ctx context.Context, t time.Duration) bool {
	if early := t - timerSlack; c.now() < early && !c.sleepUntil(ctx, early) {
		return false
	}
	if near := t - c.now() - kernelSlack; near > 0 {
		kernelSleep(near)
	}
	for c.now() < t {
	}
	return ctx.Err() == nil
}
