package check

import "github.com/sentinel-chaos/sentinel/harness/evidence"

// StaysZero: from the start of the load on, the metric was zero in every scrape of every node of the service. It suits a
// state that lasts for longer than the time between two scrapes. Unknown unless each of the nodes was seen to export it.
func StaysZero(metric string) Check {
	return complete("StaysZero", func(run *evidence.Run) Verdict {
		start, ok := loadStart(run)
		if !ok {
			return unknown("the start of the load is not recorded")
		}
		scrapes := map[string]int{}
		for s := range run.Samples() {
			v, exported := s.Values[metric]
			if s.At < start || !exported {
				continue
			}
			if v != 0 {
				return fail(nil, nil, "%s was %g on %s, %.1f s after the start of the load", metric, v, s.Node, (s.At - start).Seconds())
			}
			scrapes[s.Node]++
		}
		figures := map[string]float64{"nodes": float64(len(scrapes))}
		for n := range run.Nodes() {
			if n.Subject && scrapes[n.Name] == 0 {
				return unknown("%s was not seen to export %s", n.Name, metric).with(figures)
			}
		}
		if len(scrapes) == 0 {
			return unknown("no node of the service is recorded").with(figures)
		}
		return pass(figures, "%s was 0 on all %d nodes throughout", metric, len(scrapes))
	})
}
