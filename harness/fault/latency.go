package fault

import (
	"context"
	"fmt"
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
		d := env.Delay{Port: s.Port, Least: s.Least, Most: s.Most, Seed: r.Uint64()}
		for _, other := range e.Nodes() {
			if other != n && slices.ContainsFunc(s.Except, other.Is) {
				d.Except = append(d.Except, other)
			}
		}
		return driver.Delay(ctx, n, d)
	}, slowBy(s.Probe.Name))
	f.Needs = []env.Ability{env.Latency}
	f.Nodes = slices.Concat(s.Target.Nodes, s.Except)
	f.Observe = append(slices.Clone(s.Target.Observe), s.Probe)
	return f
}

// slowBy: the target answered, and slowly. Active when source, which measures it, called it slow between the order and the heal and
// not prompt again before the heal; healed when it called it prompt after that.
func slowBy(source string) Confirm {
	return func(run *evidence.Run, in evidence.Injection) (Times, error) {
		last, saw := run.LastSaw(in.Target, source, in.InForce())
		if !saw || last.What != evidence.SawSlow {
			return Times{}, fmt.Errorf("%w: %s did not see %s become slow between the order and the heal, and stay so", ErrUnconfirmed, source, in.Target)
		}
		prompt, ok := run.FirstSaw(in.Target, source, evidence.SawPrompt, in.Healing)
		if in.Healing == 0 || !ok {
			return Times{Active: last.At}, fmt.Errorf("%w: %s did not see %s become prompt again after the heal", ErrUnconfirmed, source, in.Target)
		}
		return Times{Active: last.At, Healed: prompt.At}, nil
	}
}
