package check

import (
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// deathSlack is how long after its heal was ordered, and its grace period, a target may still end by the fault.
const deathSlack = 5 * time.Second

// NoUnplannedDeath: no process ended but those that a fault was meant to end, once each; a kill ends none but by signal 9. The death of a node of the service
// is its failure; that of any other node leaves the run without a verdict.
func NoUnplannedDeath() Check { return complete("NoUnplannedDeath", noUnplannedDeath) }

func noUnplannedDeath(run *evidence.Run) Verdict {
	grace, _ := run.Param(evidence.ParamGrace)
	used := map[evidence.Injection]bool{}
	unplanned := tally{}
	worst := Verdict{Status: Pass}
	for e := range run.Exits() {
		if planned(run, e, grace, used) {
			continue
		}
		unplanned[e.Node]++
		n, _ := run.Node(e.Node)
		switch {
		case n.Subject && worst.Status != Fail:
			worst = fail(nil, nil, "%s ended with code %d, and no fault was meant to end it", e.Node, e.Code)
		case worst.Status == Pass:
			worst = unknown("%s ended with code %d, and no fault was meant to end it", e.Node, e.Code)
		}
	}
	figures := map[string]float64{"planned": float64(len(used)), "unplanned": float64(unplanned.sum())}
	if worst.Status != Pass {
		return worst.with(figures)
	}
	return pass(figures, "no process ended but by a planned fault")
}

// planned looks for a fault that was meant to end the node and has not been used to explain an end yet.
func planned(run *evidence.Run, e evidence.Exit, grace time.Duration, used map[evidence.Injection]bool) bool {
	for in := range run.Injections() {
		if !ends(in, e) || in.Target != e.Node || used[in] {
			continue
		}
		over := forever
		if in.Healing != 0 {
			over = in.Healing + grace + deathSlack
		}
		if (span{in.Ordered, over}).holds(e.At) {
			used[in] = true
			return true
		}
	}
	return false
}

// ends says whether the fault is of a kind that ends processes so.
func ends(in evidence.Injection, e evidence.Exit) bool {
	return in.Kind() == evidence.FaultTerm || in.Kind() == evidence.FaultKill && e.Code == killedCode
}
