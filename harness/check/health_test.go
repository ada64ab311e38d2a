package check_test

import (
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// healthCases are about what observers said before the load and after it.
func healthCases() []verdictCase {
	const ready, balancer, down, up = evidence.SourceReady, evidence.SourceBalancer, evidence.SawDown, evidence.SawUp
	const kill = evidence.FaultKill
	before, after := check.HealthyBefore(), check.HealthyAfter()
	last := func(later time.Duration, source, node, what string) func(*history) {
		return func(h *history) {
			h.observations = append(h.observations, evidence.Observation{At: lastSeen(h) + later, Source: source, Node: node, What: what, Detail: "status 503"})
		}
	}
	neverBack := func(h *history) {
		h.observations = slices.DeleteFunc(h.observations, func(o evidence.Observation) bool { return o.Source == balancer && o.What == up })
	}
	noNodes := func(h *history) { h.nodes = nil }
	return []verdictCase{
		{"all up", before, "", unchanged, check.Pass, "all 3"},
		{"one down", before, "", says(-time.Second, balancer, victim, down), check.Unknown, "balancer called app-2 down"},
		{"down, says another observer", before, "", both(says(-2*time.Second, "alive", victim, up), says(-time.Second, "alive", victim, down)), check.Unknown, "alive called app-2 down"},
		{"one down later", before, "", says(time.Second, balancer, victim, down), check.Pass, ""},
		{"one unseen", before, "", func(h *history) { h.observations = h.observations[1:] }, check.Unknown, "nobody observed app-1"},
		{"no nodes", before, "", noNodes, check.Unknown, "no node"},
		{"no load", before, "", nothing, check.Unknown, "start of the load"},

		{"no fault", after, "", unchanged, check.Pass, "all 3 nodes"},
		{"back after a kill", after, kill, unchanged, check.Pass, ""},
		{"never back", after, kill, neverBack, check.Fail, "app-2 had not recovered when the run ended: balancer"},
		{"the heal failed", after, kill, both(undoFailed, neverBack), check.Unknown,
			"app-2 was down when the run ended, and the harness had not brought it back: engine gone"},
		{"the heal was never ordered", after, kill, both(neverBack, func(h *history) { h.injections[0].Healing = 0 }), check.Unknown, "was never ordered"},
		{"the heal of another failed", after, kill, both(undoFailed, last(0, ready, "app-1", down)), check.Fail, "app-1 had not recovered"},
		{"not ready any more", after, "", last(0, ready, "app-1", down), check.Fail, "app-1 had not recovered when the run ended: ready last called it down: status 503"},
		{"ready again", after, "", both(last(0, ready, "app-1", down), last(time.Second, ready, "app-1", up)), check.Pass, ""},
		{"up says another", after, "", both(last(0, ready, "app-1", down), last(time.Second, balancer, "app-1", up)), check.Fail, "app-1"},
		{"another node never back", after, "", last(0, "roles", "store-1", down), check.Unknown, "store-1 was still down when the run ended, says roles"},
		{"the service and another", after, "", both(last(0, "roles", "store-1", down), last(0, ready, "app-3", down)), check.Fail, "app-3"},
		{"nobody looked", after, "", func(h *history) { h.observations = nil }, check.Unknown, "nobody observed app-1"},
		{"no service", after, "", noNodes, check.Unknown, "no node of the service"},
	}
}
