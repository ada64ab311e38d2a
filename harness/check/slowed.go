package check

import (
	"fmt"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Slowed certifies that the target answered, and slowly: active when pace, the source that measures it, called it slow between
// the order and the heal and not prompt again before the heal; healed when it called it prompt after that.
func Slowed(pace string) Certificate {
	return func(run *evidence.Run, in evidence.Injection) (Times, error) {
		last, saw := lastSeen(run, in, pace)
		if !saw || last.What != evidence.SawSlow {
			return Times{}, fmt.Errorf("%w: %s did not see %s become slow between the order and the heal, and stay so", errNotCertified, pace, in.Target)
		}
		prompt, ok := observed(run, in.Target, pace, evidence.SawPrompt, in.Healing)
		if in.Healing == 0 || !ok {
			return Times{Active: last.At}, fmt.Errorf("%w: %s did not see %s become prompt again after the heal", errNotCertified, pace, in.Target)
		}
		return Times{Active: last.At, Healed: prompt.At}, nil
	}
}
