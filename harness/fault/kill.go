package fault

import (
	"fmt"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Kill sends SIGKILL to every process of the target. Healing starts the node again.
func Kill(t Target) Fault { return t.at(evidence.FaultKill, ends(env.Kill), killed) }

// killed: active when the engine recorded that the target ended by signal 9, healed when an observer called the restarted
// target up.
func killed(run *evidence.Run, in evidence.Injection) (Times, error) {
	exit, ok := run.ExitOf(in.Target, in.Ordered)
	switch {
	case !ok || !in.InForce().Holds(exit.At):
		return Times{}, fmt.Errorf("%w: the engine recorded no exit of %s between the order and the heal", ErrUnconfirmed, in.Target)
	case exit.Code != evidence.KilledCode:
		return Times{}, fmt.Errorf("%w: %s ended with code %d, not by SIGKILL", ErrUnconfirmed, in.Target, exit.Code)
	}
	return upAfter(run, in, Times{Active: exit.At}, exit.At)
}
