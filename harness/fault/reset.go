package fault

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/probe"
)

// KindReset is the kind of Reset.
const KindReset = "reset"

// Resets names a node, and the peers whose connections with it are reset. Packets that are not of TCP pass.
type Resets struct {
	Target    Target
	Peers     []string // names or roles; a role may be the target's own
	Witnesses []string // those of the peers from which observers look: they need python3
}

// Reset answers what the target and its peers send each other with a TCP reset: who sends is told at once, where a Partition leaves
// it to wait.
func Reset(r Resets) Fault {
	f := r.Target.at(KindReset, func(ctx context.Context, e *env.Env, n *env.Node, _ *rand.Rand) (env.Undo, error) {
		driver, err := env.Reset.Use(e)
		if err != nil {
			return nil, err
		}
		return driver.Reset(ctx, n, others(e, n, r.Peers))
	}, r.refused)
	f.Needs = []env.Ability{env.Reset}
	f.Nodes = slices.Concat(r.Target.Nodes, r.Peers, r.Witnesses)
	f.Observe = append(slices.Clone(r.Target.Observe), probe.Connect(r.Target.Nodes, r.Witnesses))
	return f
}

// refused: each witness had its connections to the target refused, and not lost, by a target that went on running: one that has ended
// may refuse as well.
func (r Resets) refused(run *evidence.Run, in evidence.Injection) (Times, error) {
	var sources []string
	for _, witness := range othersOf(run, in.Target, r.Witnesses) {
		sources = append(sources, evidence.SourceConnect(witness))
	}
	if len(sources) == 0 {
		return Times{}, fmt.Errorf("%w: no node looked whether %s resets connections", ErrUnconfirmed, in.Target)
	}
	if exit, ok := run.ExitOf(in.Target, in.Ordered); ok && in.InForce().Holds(exit.At) {
		return Times{}, fmt.Errorf("%w: %s ended before the heal, which may be why it refused connections", ErrUnconfirmed, in.Target)
	}
	return lasting(run, in, evidence.SawRefused, evidence.SawReached, sources...)
}
