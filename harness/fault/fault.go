// Package fault says what is broken, when and for how long, and breaks it. A kind of fault is in a file of its own: what injects
// it, what observes it, and what confirms it. A fault does not say of itself that it took effect: its confirmation looks for
// the proof among what observers independent of the injector saw.
package fault

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/probe"
)

// Fault is one way to break something.
type Fault struct {
	Kind  string        // one of evidence's Fault constants, by which checks know what it excuses, or a kind of the system's own
	Name  string        // unique in a plan; as a rule the kind and the target
	Needs []env.Ability // abilities of the driver without which it cannot be injected
	Nodes []string      // names or roles of which the system must have a node
	// Programs are those that it starts, so that they are built before anything is broken.
	Programs []env.Program
	// Await returns when it is the fault's turn, which only then is ordered; nil where nothing is to be awaited.
	Await func(ctx context.Context, e *env.Env) error
	// Inject breaks it. Whatever is random about the fault draws from r. An Undo that comes with an error is still called.
	Inject func(ctx context.Context, e *env.Env, r *rand.Rand) (Injected, error)
	// Observe are the observers that the confirmation needs. They watch the whole run of every scenario that has the fault.
	Observe []probe.Probe
	// Confirm finds the proof that it took effect and ended.
	Confirm Confirm
	// Ends says of a kind of the system's own that the target's process ends, and Silences that it answers nobody meanwhile.
	Ends, Silences bool
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

// Times are the moments at which an observer independent of the injector saw a fault take effect and end, in offsets from the
// run's epoch.
type Times struct{ Active, Healed time.Duration }

// Confirm looks for the proof that an injected fault truly took effect and ended. The error, ErrUnconfirmed, names the proof that
// is missing.
type Confirm func(*evidence.Run, evidence.Injection) (Times, error)

// ErrUnconfirmed says that nobody saw a fault take effect, or end.
var ErrUnconfirmed = errors.New("no proof")

// others are the nodes of those names or roles, the target itself left out.
func others(e *env.Env, target *env.Node, names []string) []*env.Node {
	return slices.DeleteFunc(e.Nodes(), func(n *env.Node) bool { return n == target || !slices.ContainsFunc(names, n.Is) })
}

// othersOf names those that the run had.
func othersOf(run *evidence.Run, target string, names []string) (out []string) {
	for _, n := range evidence.Nodes.Of(run) {
		if n.Name != target && (slices.Contains(names, n.Name) || slices.Contains(names, n.Role)) {
			out = append(out, n.Name)
		}
	}
	return out
}

// Lasting confirms that each of the sources called the target broken for as long as the fault lasted, and whole again after its heal.
func Lasting(broken, whole string, sources ...string) Confirm {
	return func(run *evidence.Run, in evidence.Injection) (Times, error) {
		return lasting(run, in, broken, whole, sources...)
	}
}

// lasting: active when each of the sources had called the target broken between the order and the heal, and not whole again before
// the heal; healed when each of them called it whole after that.
func lasting(run *evidence.Run, in evidence.Injection, broken, whole string, sources ...string) (Times, error) {
	var t Times
	for _, source := range sources {
		last, saw := run.LastSaw(in.Target, source, in.InForce())
		if !saw || last.What != broken {
			return Times{}, fmt.Errorf("%w: %s did not see %s become %s between the order and the heal, and stay so", ErrUnconfirmed, source, in.Target, broken)
		}
		t.Active = max(t.Active, last.At)
	}
	for _, source := range sources {
		again, ok := run.FirstSaw(in.Target, source, whole, in.Healing)
		if in.Healing == 0 || !ok {
			return Times{Active: t.Active}, fmt.Errorf("%w: %s did not see %s become %s again after the heal", ErrUnconfirmed, source, in.Target, whole)
		}
		t.Healed = max(t.Healed, again.At)
	}
	return t, nil
}
