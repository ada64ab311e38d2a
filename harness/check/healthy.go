package check

import "github.com/sentinel-chaos/sentinel/harness/evidence"

// HealthyBefore: when the load began, the last word of every observer on every node of the service was that it is up, and
// at least one had spoken of each.
func HealthyBefore() Check { return complete("HealthyBefore", healthyBefore) }

func healthyBefore(run *evidence.Run) Verdict {
	start, ok := loadStart(run)
	if !ok {
		return unknown("the start of the load is not recorded")
	}
	type by struct{ node, source string }
	last := map[by]string{}
	seen := map[string]bool{}
	for o := range run.Observations() {
		if o.At <= start && (o.What == evidence.SawUp || o.What == evidence.SawDown) {
			last[by{o.Node, o.Source}], seen[o.Node] = o.What, true
		}
	}
	nodes := 0
	for n := range run.Nodes() {
		if !n.Subject {
			continue
		}
		nodes++
		if !seen[n.Name] {
			return unknown("nobody observed %s before the load", n.Name)
		}
		for _, source := range []string{evidence.SourceReady, evidence.SourceHAProxy} {
			if last[by{n.Name, source}] == evidence.SawDown {
				return unknown("%s called %s down when the load began", source, n.Name)
			}
		}
	}
	if nodes == 0 {
		return unknown("no node of the service is recorded")
	}
	return pass(map[string]float64{"nodes": float64(nodes)}, "all %d nodes of the service were up when the load began", nodes)
}
