package check

import (
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// CleanExit: at every SIGTERM the node ended with code 0 within its grace period, by the engine's record. It fails if it
// ended otherwise or later, or still ran when it was killed in the end.
func CleanExit(node string) Check {
	return complete("CleanExit", func(run *evidence.Run) Verdict {
		grace, ok := run.Param(evidence.ParamGrace)
		if !ok {
			return unknown("the plan lacks the grace period")
		}
		var slowest time.Duration
		signals := 0
		for in := range run.Injections() {
			if in.Target != node || in.Kind() != evidence.FaultTerm {
				continue
			}
			took, v := cleanExit(run, in, grace)
			if v.Status != Pass {
				return v
			}
			signals++
			slowest = max(slowest, took)
		}
		if signals == 0 {
			return unknown("%s was never sent SIGTERM", node)
		}
		return pass(exitFigures(slowest, 0, grace), "%s ended with code 0, %.0f ms after SIGTERM; its grace is %s", node, ms(slowest), grace)
	})
}

func cleanExit(run *evidence.Run, in evidence.Injection, grace time.Duration) (time.Duration, Verdict) {
	if in.Error != "" {
		return 0, unknown("SIGTERM may not have reached %s: %s", in.Target, in.Error)
	}
	exit, ok := exitAfter(run, in)
	switch {
	case !ok && in.Healing == 0:
		return 0, fail(nil, nil, "%s never ended after SIGTERM", in.Target)
	case !ok:
		return 0, unknown("%s was started again, yet nobody recorded its exit", in.Target)
	}
	took := exit.At - in.Ordered
	figures := exitFigures(took, exit.Code, grace)
	switch {
	case exit.Code == killedCode:
		return took, fail(figures, nil, "%s did not end at SIGTERM: it was killed %.0f ms later; its grace is %s", in.Target, ms(took), grace)
	case exit.Code != 0:
		return took, fail(figures, nil, "%s ended with code %d at SIGTERM", in.Target, exit.Code)
	case took > grace:
		return took, fail(figures, nil, "%s took %.0f ms to end at SIGTERM; its grace is %s", in.Target, ms(took), grace)
	}
	return took, Verdict{Status: Pass}
}

func exitFigures(took time.Duration, code int, grace time.Duration) map[string]float64 {
	return map[string]float64{"exit_ms": ms(took), "grace_ms": ms(grace), "code": float64(code)}
}
