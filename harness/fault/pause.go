package fault

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Pause stops every process of the target where it stands, connections open. Healing lets them go on.
func Pause(t Target) Fault {
	return t.at(evidence.FaultPause, func(ctx context.Context, _ *env.Env, n *env.Node, _ *rand.Rand) (env.Undo, error) {
		resume := func(ctx context.Context) error { return n.Signal(ctx, env.Resume) }
		return resume, n.Signal(ctx, env.Pause) // with an Undo: a signal whose answer got lost may have hit
	}, Unresponsive)
}

// Unresponsive confirms that the target answered nobody, as if all of its processes stood still: active when an observer called it
// down and did not call it up again before the heal was ordered, healed when one called it up after that. A node that is merely
// slow comes back by itself.
func Unresponsive(run *evidence.Run, in evidence.Injection) (Times, error) {
	last := map[string]evidence.Observation{} // by source
	for _, o := range evidence.Observations.Each(run) {
		opinion := o.What == evidence.SawUp || o.What == evidence.SawDown
		if opinion && o.Node == in.Target && in.InForce().Holds(o.At) {
			last[o.Source] = *o
		}
	}
	active := evidence.Forever
	for _, o := range last {
		if o.What == evidence.SawDown {
			active = min(active, o.At)
		}
	}
	if active == evidence.Forever {
		return Times{}, fmt.Errorf("%w: no observer saw %s go down between the order and the heal, and stay down", ErrUnconfirmed, in.Target)
	}
	return upAfter(run, in, Times{Active: active}, active)
}

// upAfter adds when the target was up again after its heal, and after the moment at which it ended.
func upAfter(run *evidence.Run, in evidence.Injection, t Times, ended time.Duration) (Times, error) {
	if in.Healing == 0 {
		return t, fmt.Errorf("%w: its heal was never ordered", ErrUnconfirmed)
	}
	// The load balancer's opinion comes first, since it decides where requests go.
	for _, source := range []string{evidence.SourceBalancer, evidence.SourceReady, ""} {
		if up, ok := run.FirstSaw(in.Target, source, evidence.SawUp, max(in.Healing, ended)); ok {
			t.Healed = up.At
			return t, nil
		}
	}
	return t, fmt.Errorf("%w: no observer saw %s up again after the heal", ErrUnconfirmed, in.Target)
}
