package check

import (
	"fmt"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Limited certifies that the target was kept from the CPU: active when the kernel's account first showed it between the order
// and the heal, healed when it no longer did after that.
func Limited(run *evidence.Run, in evidence.Injection) (Times, error) {
	held, ok := observed(run, in.Target, evidence.SourceThrottling, evidence.SawThrottled, in.Ordered)
	if !ok || healing(in).holds(held.At) {
		return Times{}, fmt.Errorf("%w: the kernel did not keep %s from the CPU between the order and the heal", errNotCertified, in.Target)
	}
	free, ok := observed(run, in.Target, evidence.SourceThrottling, evidence.SawFree, max(in.Healing, held.At))
	if in.Healing == 0 {
		return Times{Active: held.At}, fmt.Errorf("%w: its heal was never ordered", errNotCertified)
	}
	if last, seen := lastSeen(run, in, evidence.SourceThrottling); seen && last.What == evidence.SawFree {
		return Times{Active: held.At, Healed: in.Healing}, nil // it had little to do before the heal was due
	}
	if !ok {
		return Times{Active: held.At}, fmt.Errorf("%w: the kernel went on keeping %s from the CPU", errNotCertified, in.Target)
	}
	return Times{Active: held.At, Healed: free.At}, nil
}
