// Package fault says what is broken, when and for how long, and breaks it. A fault does not say of itself that it took
// effect: its certificate looks for the proof among what independent observers saw.
package fault

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/env"
)

// Fault is one way to break something. The first word of its Name is its kind, one of evidence's Fault constants, by
// which checks know what it excuses; the rest names what it is aimed at.
type Fault struct {
	Name  string
	Needs []env.Capability // abilities of the driver without which it cannot be injected
	Nodes []string         // names or roles of which the system must have a node
	// Programs are those that it starts, so that they are built before anything is broken.
	Programs []env.Program
	// Inject breaks it. Whatever is random about the fault draws from r. An Undo that comes with an error is still called.
	Inject func(ctx context.Context, e *env.Env, r *rand.Rand) (Injected, error)
	// Certificate finds the proof that it took effect and ended.
	Certificate check.Certificate
}

// Injected is a fault that was ordered.
type Injected struct {
	Target string   // the node that it hit
	Undo   env.Undo // heals it; nil if it heals by itself
}

// Step is a fault and its time: At counts from the start of the load, For from the end of the injection.
type Step struct {
	At, For time.Duration
	Fault   Fault
}

// Plan is the faults of a scenario. Steps may overlap.
type Plan []Step
