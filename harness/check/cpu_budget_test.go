package check_test

import (
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

func cpuBudgetCases() []verdictCase {
	// Three nodes may use 3 s in 5 s, and half a second for each request.
	within := check.CPUWithin(check.CPUBudget{Idle: 0.2, PerRequest: 500 * time.Millisecond})
	uses := func(cores float64, from, to time.Duration, nodes ...string) func(*history) {
		return func(h *history) {
			for _, name := range nodes {
				samples(name, 0, func(s *evidence.Sample) {
					if s.Error == "" {
						s.Values[check.MetricCPU] += cores * max(0, min(s.At, to)-from).Seconds()
					}
				})(h)
			}
		}
	}
	const end = time.Hour
	all := uses(0.1, 0, end, node(1), node(2), node(3))
	idle := func(h *history) { h.sampleOn(20 * time.Second) }
	later := loadFrom + 20*time.Second // nothing is asked any more
	return []verdictCase{
		{"little", within, "", all, check.Pass, "3 nodes used"},
		{"much while something is asked", within, "", both(all, uses(0.9, loadFrom, loadFrom+3*time.Second, node(1))), check.Pass, ""},
		{"as much as is allowed when nothing is", within, "", both(idle, all, uses(0.25, later, end, node(1))), check.Pass, ""},
		{"much when nothing is asked", within, "", both(idle, all, uses(0.9, later, end, node(1))), check.Fail, "for 0 requests; 3.0 s are allowed"},
		{"three that turn round and round", within, "", both(idle, all, uses(0.5, later, end, node(1), node(2), node(3))), check.Fail, "3 nodes used"},
		{"much before the load", within, "", both(all, uses(9, 0, loadFrom-time.Second, node(1))), check.Pass, ""},
		{"a boot counts from its first scrape", within, evidence.FaultKill, both(all, samples(victim, loadFrom+4*time.Second, func(s *evidence.Sample) {
			if s.Boot == boot2 {
				s.Values[check.MetricCPU] += 100
			}
		})), check.Pass, ""},
		{"one does not say", within, "", uses(0.1, 0, end, node(1), node(2)), check.Unknown, node(3) + " does not export " + check.MetricCPU},
		{"much, and one does not say", within, "", both(idle, uses(0.1, 0, end, node(1), node(2)), uses(0.9, later, end, node(1))), check.Fail, "3 nodes used"},
		{"one was not scraped", within, "", both(all, samples(node(2), 0, func(s *evidence.Sample) { s.Error = "connection refused" })), check.Unknown, node(2) + " was not scraped twice"},
		{"no service", within, "", func(h *history) { h.nodes = nil }, check.Unknown, "no node of the service"},
		{"no load", within, "", func(h *history) { h.windows = nil }, check.Unknown, ""},
	}
}
