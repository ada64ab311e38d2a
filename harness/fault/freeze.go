package fault

import (
	"context"
	"math/rand/v2"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Freeze stops every process of the named node where it stands, connections open. Healing lets them go on.
func Freeze(node string) Fault {
	f := FreezeFound(node, named(node))
	f.Nodes = []string{node}
	return f
}

// FreezeFound freezes whatever node is found when the fault fires; what says, in the fault's name, which one that is.
func FreezeFound(what string, find Find) Fault {
	return Fault{
		Name: evidence.FaultFreeze + " " + what,
		Inject: func(ctx context.Context, e *env.Env, _ *rand.Rand) (Injected, error) {
			n, err := find(ctx, e)
			if err != nil {
				return Injected{}, err
			}
			in := Injected{Target: n.Name, Undo: func(ctx context.Context) error { return n.Signal(ctx, env.Thaw) }}
			return in, n.Signal(ctx, env.Freeze) // with Undo: a signal whose answer got lost may have hit
		},
		Certificate: check.Frozen,
	}
}
