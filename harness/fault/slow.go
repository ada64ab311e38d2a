package fault

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Brownout describes a server that is slow and not down.
type Brownout struct {
	What        string // says in the fault's name which node it is
	Find        Find
	Port        int
	But         []string      // names or roles of nodes to which it is as fast as ever
	Least, Most time.Duration // added to every operation, drawn anew for each
	Pace        string        // the source that tells how fast it is: that of a probe.Pace
}

// Slow makes a server slow to answer.
func Slow(b Brownout) Fault {
	return Fault{
		Name:        evidence.FaultSlow + " " + b.What,
		Needs:       []env.Capability{env.Delay},
		Nodes:       b.But,
		Certificate: check.Slowed(b.Pace),
		Inject: func(ctx context.Context, e *env.Env, r *rand.Rand) (Injected, error) {
			n, err := b.Find(ctx, e)
			if err != nil {
				return Injected{}, err
			}
			s := env.Slowness{Port: b.Port, Least: b.Least, Most: b.Most, Seed: r.Uint64()}
			for _, other := range e.Nodes() {
				if other != n && slices.ContainsFunc(b.But, other.Is) {
					s.But = append(s.But, other)
				}
			}
			undo, err := e.Slow(ctx, n, s)
			return Injected{Target: n.Name, Undo: undo}, err
		},
	}
}
