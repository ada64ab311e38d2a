package fault

import (
	"context"
	"math/rand/v2"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Limit holds the named node to that many cores. Its certificate wants probe.Throttling, and a node that would use more.
func Limit(node string, cores float64) Fault {
	return Fault{
		Name:        evidence.FaultLimit + " " + node,
		Needs:       []env.Capability{env.Quota},
		Nodes:       []string{node},
		Certificate: check.Limited,
		Inject: func(ctx context.Context, e *env.Env, _ *rand.Rand) (Injected, error) {
			n, err := e.Node(node)
			if err != nil {
				return Injected{}, err
			}
			undo, err := e.Limit(ctx, n, cores)
			return Injected{Target: n.Name, Undo: undo}, err
		},
	}
}
