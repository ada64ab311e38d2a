package check

import "github.com/sentinel-chaos/sentinel/harness/evidence"

// HealthyAfter: the last word of every observer on every node was that it is up. A node of the service that is down by then
// has failed to recover; any other node leaves the run without a verdict, as does one of the service of which nobody spoke.
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
		switch {
		case n.Subject && isDown && worst.Status != Fail:
			worst = fail(nil, nil, "%s had not recovered when the run ended: %s last called it down: %s", n.Name, o.Source, o.Detail)
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
