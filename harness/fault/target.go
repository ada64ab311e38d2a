package fault

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/probe"
)

// Target is the node that a fault hits. It is picked at the moment at which the fault fires: which node leads is not known before.
type Target struct {
	Name  string   // stands in the fault's name
	Nodes []string // names or roles of which the system must have a node, so that there is one to pick
	Find  func(ctx context.Context, e *env.Env) (*env.Node, error)
	// Was proves afterwards that the node that was hit was what it was meant to be, such as the leader; nil if its name says all.
	Was func(*evidence.Run, evidence.Injection) error
	// Observe are the observers that see what becomes of the node, and what Was needs.
	Observe []probe.Probe
}

// Node is the target of that name. Observers see what becomes of it; of a node of the service the system has its own.
func Node(name string, observe ...probe.Probe) Target {
	return Target{Name: name, Nodes: []string{name}, Observe: observe,
		Find: func(_ context.Context, e *env.Env) (*env.Node, error) { return e.Node(name) }}
}

// WasLast proves that the last that source had said of the target before the order was what.
func WasLast(source, what string) func(*evidence.Run, evidence.Injection) error {
	return func(run *evidence.Run, in evidence.Injection) error {
		last, ok := run.LastSaw(in.Target, source, evidence.Span{To: in.Ordered})
		if !ok {
			last.What = "nothing"
		}
		if last.What != what {
			return fmt.Errorf("%w: of %s, %s had last said %s, not %s", ErrUnconfirmed, in.Target, source, last.What, what)
		}
		return nil
	}
}

// at makes a fault of a target. hit breaks the node that was found.
func (t Target) at(kind string, hit func(ctx context.Context, e *env.Env, n *env.Node, r *rand.Rand) (env.Undo, error), confirm Confirm) Fault {
	return Fault{Kind: kind, Name: kind + " " + t.Name, Nodes: t.Nodes, Observe: t.Observe, Confirm: t.confirm(confirm),
		Inject: func(ctx context.Context, e *env.Env, r *rand.Rand) (Injected, error) {
			n, err := t.Find(ctx, e)
			if err != nil {
				return Injected{}, err
			}
			undo, err := hit(ctx, e, n, r)
			return Injected{Target: n.Name, Undo: undo}, err
		}}
}

// At is a fault of a kind of the system's own. hit breaks the node that was found; its Undo may be nil.
func (t Target) At(kind string, hit func(ctx context.Context, e *env.Env, n *env.Node) (env.Undo, error), confirm Confirm) Fault {
	return t.at(kind, func(ctx context.Context, e *env.Env, n *env.Node, _ *rand.Rand) (env.Undo, error) {
		return hit(ctx, e, n)
	}, confirm)
}

// confirm adds to a confirmation that the node was what it was meant to be.
func (t Target) confirm(c Confirm) Confirm {
	if t.Was == nil {
		return c
	}
	return func(run *evidence.Run, in evidence.Injection) (Times, error) {
		if err := t.Was(run, in); err != nil {
			return Times{}, err
		}
		return c(run, in)
	}
}
