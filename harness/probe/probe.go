// Package probe observes a running system from outside and records what it sees. No probe knows of faults, so that what
// it saw can confirm them.
package probe

import (
	"context"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/internal/panics"
)

// Probe is one observer. Of several of one name in a run, such as those that two faults bring, only one watches.
type Probe struct {
	Name string
	// Watch observes until ctx ends, and then returns nil. It is nil for a probe that only collects. A panic of it is an error,
	// but not one of a goroutine that it starts by itself: Group is for those.
	Watch func(ctx context.Context, e *env.Env, rec *evidence.Recorder) error
	// Collect is called once, after the system is quiet. It is nil for a probe that only watches.
	Collect func(ctx context.Context, e *env.Env, rec *evidence.Recorder) error
}

// Group runs the goroutines that a probe starts by itself, and makes errors of their panics. Wait returns the first error.
type Group = panics.Group
