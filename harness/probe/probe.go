// Package probe observes a running system from outside and records what it sees. No probe knows of faults, so that what
// it saw can certify them.
package probe

import (
	"context"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Probe is one observer.
type Probe struct {
	Name string
	// Watch observes until ctx ends, and then returns nil. It is nil for a probe that only collects. A panic of it is an error,
	// but not one of a goroutine that it starts by itself: guard.Group is for those.
	Watch func(ctx context.Context, e *env.Env, rec *evidence.Recorder) error
	// Collect is called once, after the system is quiet. It is nil for a probe that only watches.
	Collect func(ctx context.Context, e *env.Env, rec *evidence.Recorder) error
}
