package fault

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/probe"
)

// CPUQuota holds the target to that many cores. It can only be confirmed for a node that would use more.
func CPUQuota(t Target, cores float64) Fault {
	f := t.at(evidence.FaultCPUQuota, func(ctx context.Context, e *env.Env, n *env.Node, _ *rand.Rand) (env.Undo, error) {
		driver, err := env.CPUQuota.Use(e)
		if err != nil {
			return nil, err
		}
		return driver.LimitCPU(ctx, n, cores)
	}, throttled)
	f.Needs = []env.Ability{env.CPUQuota}
	f.Observe = append(slices.Clone(t.Observe), probe.Throttling(t.Nodes...))
	return f
}

// throttled: active when the kernel's account first showed between the order and the heal that the target was kept from the CPU,
// healed when it no longer did after that.
func throttled(run *evidence.Run, in evidence.Injection) (Times, error) {
	held, ok := run.FirstSaw(in.Target, evidence.SourceThrottling, evidence.SawThrottled, in.Ordered)
	if !ok || !in.InForce().Holds(held.At) {
		return Times{}, fmt.Errorf("%w: the kernel did not keep %s from the CPU between the order and the heal", ErrUnconfirmed, in.Target)
	}
	if in.Healing == 0 {
		return Times{Active: held.At}, fmt.Errorf("%w: its heal was never ordered", ErrUnconfirmed)
	}
	if last, _ := run.LastSaw(in.Target, evidence.SourceThrottling, in.InForce()); last.What == evidence.SawFree {
		return Times{Active: held.At, Healed: in.Healing}, nil // it had little to do before the heal was due
	}
	free, ok := run.FirstSaw(in.Target, evidence.SourceThrottling, evidence.SawFree, in.Healing)
	if !ok {
		return Times{Active: held.At}, fmt.Errorf("%w: the kernel went on keeping %s from the CPU", ErrUnconfirmed, in.Target)
	}
	return Times{Active: held.At, Healed: free.At}, nil
}
