package check

import (
	"fmt"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// HealthyAfter: the last word of every observer on every node was that it is up. A node of the service that is down by then
// has failed to recover, unless it was the harness that failed to bring it back; any other node leaves the run without a
// verdict, as does one of the service of which nobody spoke.
func HealthyAfter() Check { return complete("HealthyAfter", healthyAfter) }

func healthyAfter(run *evidence.Run) Verdict {
	type by struct{ node, source string }
	last, seen := map[by]evidence.Observation{}, map[string]bool{}
	for o := range run.Observations() {
		if o.What == evidence.SawUp || o.What == evidence.SawDown {
			last[by{o.Node, o.Source}], seen[o.Node] = o, true
		}
	}
	down := map[string]evidence.Observation{} // by node
	for k, o := range last {
		if d, ok := down[k.node]; o.What == evidence.SawDown && (!ok || o.Source < d.Source) {
			down[k.node] = o
		}
	}
	worst := Verdict{Status: Pass}
	nodes := 0
	for n := range run.Nodes() {
		o, isDown := down[n.Name]
		lost := notBroughtBack(run, n.Name)
		switch {
		case n.Subject && isDown && lost == "" && worst.Status != Fail:
			worst = fail(nil, nil, "%s had not recovered when the run ended: %s last called it down: %s", n.Name, o.Source, o.Detail)
		case n.Subject && isDown && worst.Status == Pass:
			worst = unknown("%s was down when the run ended, and the harness had not brought it back: %s", n.Name, lost)
		case isDown && worst.Status == Pass:
			worst = unknown("%s was still down when the run ended, says %s: %s", n.Name, o.Source, o.Detail)
		case n.Subject && !seen[n.Name] && worst.Status == Pass:
			worst = unknown("nobody observed %s", n.Name)
		}
		if n.Subject {
			nodes++
		}
	}
	switch {
	case worst.Status != Pass:
		return worst
	case nodes == 0:
		return unknown("no node of the service is recorded")
	}
	return pass(map[string]float64{"nodes": float64(nodes)}, "all %d nodes of the service, and what was observed of the others, were up when the run ended", nodes)
}

// notBroughtBack says why the heal of a fault on the node is not done; empty if all are.
func notBroughtBack(run *evidence.Run, node string) string {
	for in := range run.Injections() {
		switch {
		case in.Target != node:
		case in.Undo != "":
			return in.Undo
		case in.Healing == 0:
			return fmt.Sprintf("the heal of %q was never ordered", in.Fault)
		}
	}
	return ""
}
