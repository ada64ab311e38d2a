package fault

import (
	"context"
	"math/rand/v2"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Upgrade is Term for a node that comes back as another build. It waits for ready first, as a deployment does that goes on
// only when whatever it replaced before serves. Its certificate wants probe.Builds.
func Upgrade(node string, to env.Program, ready func(context.Context, *env.Env) error) Fault {
	return Fault{
		Name:     evidence.FaultTerm + " " + node + " for " + to.Version,
		Needs:    []env.Capability{env.Upgrade},
		Nodes:    []string{node},
		Programs: []env.Program{to},
		Inject: func(ctx context.Context, e *env.Env, _ *rand.Rand) (Injected, error) {
			n, err := e.Node(node)
			if err != nil {
				return Injected{Target: node}, err
			}
			if err := ready(ctx, e); err != nil {
				return Injected{Target: node}, err
			}
			return end(ctx, e, n, env.Term, func(ctx context.Context) error { return e.Replace(ctx, n, to) })
		},
		Certificate: check.Upgraded(to.Version),
	}
}
