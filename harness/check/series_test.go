package check_test

import (
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

func seriesCases() []verdictCase {
	const metric = "series"
	bounded := check.SeriesBounded(metric, 300)
	has := func(n float64, nodes ...string) func(*history) {
		return func(h *history) {
			for _, name := range nodes {
				samples(name, 0, func(s *evidence.Sample) { s.Values[metric] = n })(h)
			}
		}
	}
	all := has(200, node(1), node(2), node(3))
	return []verdictCase{
		{"few", bounded, "", all, check.Pass, "more than 200 series"},
		{"as many as are allowed", bounded, "", both(all, has(300, node(2))), check.Pass, "more than 300 series"},
		{"too many", bounded, "", both(all, has(301, node(2))), check.Fail, node(2) + " had 301 series of metrics, and 300 are allowed"},
		{"too many before it ended", bounded, evidence.FaultKill, both(all, has(301, victim), samples(victim, loadFrom+4*time.Second, func(s *evidence.Sample) { s.Values[metric] = 200 })), check.Fail, victim + " had 301"},
		{"too many, and one is not counted", bounded, "", has(301, node(1)), check.Fail, node(1) + " had 301"},
		{"one is not counted", bounded, "", has(200, node(1), node(2)), check.Unknown, "nobody counted the series of " + node(3)},
		{"no service", bounded, "", func(h *history) { h.nodes = nil }, check.Unknown, "no node of the service"},
	}
}
