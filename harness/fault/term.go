package fault

import (
	"fmt"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Term sends SIGTERM to the target, as every deployment does. Healing waits for its exit, until a second after its grace period,
// kills what still runs then, and starts the node again.
func Term(t Target) Fault { return t.at(evidence.FaultTerm, ends(env.Term), terminated) }

// terminated: active at the first sign that somebody else saw, an observer that called the target down or the engine's record of
// its exit; healed when an observer called the restarted target up. A forced end after the heal was ordered is the healer's
// doing and proves nothing of the SIGTERM.
func terminated(run *evidence.Run, in evidence.Injection) (Times, error) {
	exit, ok := run.ExitOf(in.Target, in.Ordered)
	if !ok {
		return Times{}, fmt.Errorf("%w: the engine recorded no exit of %s after it", ErrUnconfirmed, in.Target)
	}
	active, forced := exit.At, exit.Code == evidence.KilledCode && in.Afterwards().Holds(exit.At)
	if down, ok := run.FirstSaw(in.Target, "", evidence.SawDown, in.Ordered); ok && down.At < active {
		active = down.At
	}
	if forced && active >= in.Healing {
		return Times{}, fmt.Errorf("%w: %s showed no sign of it before it was killed", ErrUnconfirmed, in.Target)
	}
	return upAfter(run, in, Times{Active: active}, exit.At)
}
