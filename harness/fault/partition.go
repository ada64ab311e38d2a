package fault

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/probe"
)

// Cut names a node, and the peers that it loses packets to and from.
type Cut struct {
	Target Target
	Peers  []string // names or roles; a role may be the target's own
}

// Partition loses every packet between the target and its peers.
func Partition(c Cut) Fault { return c.fault(evidence.FaultPartition, 1, c.severed) }

func (c Cut) fault(kind string, share float64, confirm Confirm) Fault {
	hit := func(ctx context.Context, e *env.Env, n *env.Node, _ *rand.Rand) (env.Undo, error) {
		driver, err := env.Partition.Use(e)
		if err != nil {
			return nil, err
		}
		return driver.Partition(ctx, c.paths(e, n), share)
	}
	f := c.Target.at(kind, hit, confirm)
	f.Name = fmt.Sprintf("%s from %s", f.Name, strings.Join(c.Peers, ", "))
	f.Needs = []env.Ability{env.Partition}
	f.Nodes = slices.Concat(c.Target.Nodes, c.Peers)
	f.Observe = append(slices.Clone(c.Target.Observe), probe.Reach(c.Target.Nodes, c.Peers))
	return f
}

// paths lead between the node and each of its peers, both ways.
func (c Cut) paths(e *env.Env, n *env.Node) (paths []env.Path) {
	for _, peer := range others(e, n, c.Peers) {
		paths = append(paths, env.Path{From: peer, To: n}, env.Path{From: n, To: peer})
	}
	return paths
}

// severed: active when each of the peers had lost the target between the order and the heal, for good; healed when each of them
// reached it again after that.
func (c Cut) severed(run *evidence.Run, in evidence.Injection) (Times, error) {
	return severed(run, in, othersOf(run, in.Target, c.Peers))
}

// Isolated confirms that a target was cut off from everything that the replicas of the service share: from every node that holds
// it or leads to it.
func Isolated(run *evidence.Run, in evidence.Injection) (Times, error) {
	var stores []string
	for _, n := range evidence.Nodes.Of(run) {
		if n.Store && n.Name != in.Target {
			stores = append(stores, n.Name)
		}
	}
	return severed(run, in, stores)
}

func severed(run *evidence.Run, in evidence.Injection, peers []string) (Times, error) {
	if len(peers) == 0 {
		return Times{}, fmt.Errorf("%w: there is no node that %s was to be cut off from", ErrUnconfirmed, in.Target)
	}
	var sources []string
	for _, peer := range peers {
		sources = append(sources, evidence.SourceReach(peer))
	}
	return lasting(run, in, evidence.SawLost, evidence.SawReached, sources...)
}
