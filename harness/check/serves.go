package check

import "github.com/sentinel-chaos/sentinel/harness/evidence"

// ServesAgain: after the last fault on the node was healed, requests that came later were answered 200 by it, by the load
// balancer's log. Unknown if no request came after the heal.
func ServesAgain(node string) Check {
	return complete("ServesAgain", func(run *evidence.Run) Verdict {
		var last evidence.Injection
		hit := false
		for in := range run.Injections() {
			if in.Target == node {
				last, hit = in, true
			}
		}
		switch {
		case !hit:
			return unknown("no fault hit %s", node)
		case last.Healing == 0 || last.Undo != "":
			return unknown("%s was not healed: %s", node, last.Undo)
		}
		var served, others int
		for _, h := range run.EachHop() {
			switch {
			case h.At < last.Healing:
			case h.Server == node && h.Status == 200:
				served++
			default:
				others++
			}
		}
		figures := map[string]float64{"served": float64(served)}
		switch {
		case served > 0:
			return pass(figures, "%s answered %d requests after it was healed", node, served)
		case others > 0:
			return fail(figures, nil, "%s answered none of %d requests that came after it was healed", node, others)
		}
		return unknown("no request came after %s was healed", node).with(figures)
	})
}
