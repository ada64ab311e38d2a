package fault

import (
	"slices"

	"github.com/sentinel-chaos/sentinel/harness/env"
)

// Sides are a node and those between which and it packets get lost.
type Sides struct {
	What string   // says in the fault's name which node it is
	Find Find     // finds it; the node named What if nil
	From []string // names or roles of the others; a role may be the node's own
	Way  Way      // both ways if zero
}

// Way is the direction in which packets get lost.
type Way string

// The ways.
const (
	BothWays Way = ""
	Inward   Way = " inward"  // those to the node
	Outward  Way = " outward" // those that it sends
)

// paths lead between the node and each of the others, the ways that are to be cut.
func (s Sides) paths(e *env.Env, n *env.Node) (paths []env.Path) {
	for _, other := range e.Nodes() {
		if other == n || !slices.ContainsFunc(s.From, other.Is) {
			continue
		}
		if s.Way != Outward {
			paths = append(paths, env.Path{From: other, To: n})
		}
		if s.Way != Inward {
			paths = append(paths, env.Path{From: n, To: other})
		}
	}
	return paths
}
