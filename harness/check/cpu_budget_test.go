package check_test

import (
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

func cpuBudgetCases() []verdictCase {
	within := check.CPUWithin(check.CPUBudget{Idle: 0.2, PerRequest: 100 * time.Millisecond})
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
	return []verdictCase{
		{"little", within, "", all, check.Pass, "3 nodes used"},
		{"as much as is allowed", within, "", both(all, uses(0.3, 0, end, node(1))), check.Pass, ""},
		{"one turns round and round", within, "", both(all, uses(1.4, 0, end, node(1))), check.Fail, "s are allowed"},
		{"so do all", within, "", both(all, uses(0.6, 0, end, node(1), node(2), node(3))), check.Fail, "s are allowed"},
		{"much before the load", within, "", both(all, uses(9, 0, loadFrom-time.Second, node(1))), check.Pass, ""},
		{"a boot counts from its first scrape", within, evidence.FaultKill, both(all, samples(victim, loadFrom+4*time.Second, func(s *evidence.Sample) {
			if s.Boot == boot2 {
				s.Values[check.MetricCPU] += 100
			}
		})), check.Pass, ""},
		{"one does not say", within, "", uses(0.1, 0, end, node(1), node(2)), check.Unknown, node(3) + " does not export " + check.MetricCPU},
		{"much, and one does not say", within, "", both(uses(0.1, 0, end, node(1), node(2)), uses(9, 0, end, node(1))), check.Fail, "3 nodes used"},
		{"one was not scraped", within, "", both(all, samples(node(2), 0, func(s *evidence.Sample) { s.Error = "connection refused" })), check.Unknown, node(2) + " was not scraped twice"},
		{"no service", within, "", func(h *history) { h.nodes = nil }, check.Unknown, "no node of the service"},
		{"no load", within, "", func(h *history) { h.windows = nil }, check.Unknown, ""},
	}
}
