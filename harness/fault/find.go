package fault

import (
	"context"
	"math/rand/v2"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Find picks the node that a fault hits, at the moment at which it fires: which node leads is not known before.
type Find func(ctx context.Context, e *env.Env) (*env.Node, error)

func named(node string) Find {
	return func(_ context.Context, e *env.Env) (*env.Node, error) { return e.Node(node) }
}

// KillFound is Kill for whatever node is found when the fault fires; what says, in the fault's name, which one that is.
func KillFound(what string, find Find) Fault {
	return Fault{
		Name: evidence.FaultKill + " " + what,
		Inject: func(ctx context.Context, e *env.Env, r *rand.Rand) (Injected, error) {
			n, err := find(ctx, e)
			if err != nil {
				return Injected{}, err
			}
			return signal(n.Name, env.Kill)(ctx, e, r)
		},
		Certificate: check.Killed,
	}
}
