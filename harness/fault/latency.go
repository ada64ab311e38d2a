package fault

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/probe"
)

// Slowness is a server that is slow and not down: a brown-out.
type Slowness struct {
	Target      Target
	Port        int
	Except      []string      // names or roles of nodes to which it is as fast as ever
	Least, Most time.Duration // added to every operation, drawn anew for each
	Probe       probe.Probe   // a probe.Latency that tells how fast the target answers
}

// Latency makes a server slow to answer.
func Latency(s Slowness) Fault {
	f := s.Target.at(evidence.FaultLatency, func(ctx context.Context, e *env.Env, n *env.Node, r *rand.Rand) (env.Undo, error) {
		driver, err := env.Latency.Use(e)
		if err != nil {
			return nil, err
		}
		d := env.Delay{Port: s.Port, Except: others(e, n, s.Except), Least: s.Least, Most: s.Most, Seed: r.Uint64()}
		return driver.Delay(ctx, n, d)
	}, Lasting(evidence.SawSlow, evidence.SawPrompt, s.Probe.Name))
	f.Needs = []env.Ability{env.Latency}
	f.Nodes = slices.Concat(s.Target.Nodes, s.Except)
	f.Observe = append(slices.Clone(s.Target.Observe), s.Probe)
	return f
}
