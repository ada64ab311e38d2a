package check_test

import (
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// healthyAfterCases are about what observers last said.
func healthyAfterCases() []verdictCase {
	says := func(after time.Duration, source, node, what string) func(*history) {
		return func(h *history) {
			h.Observations = append(h.Observations, evidence.Observation{At: lastSeen(h) + after, Source: source, Node: node, What: what, Detail: "status 503"})
		}
	}
	const ready, down, up = evidence.SourceReady, evidence.SawDown, evidence.SawUp
	healthy := check.HealthyAfter()
	return []verdictCase{
		{"no fault", healthy, "", func(*history) {}, check.Pass, "all 3 nodes"},
		{"back after a kill", healthy, evidence.FaultKill, func(*history) {}, check.Pass, ""},
		{"never back", healthy, evidence.FaultKill, func(h *history) { h.Observations = without(h.Observations, evidence.SourceHAProxy, up) }, check.Fail, "gateway-2 had not recovered when the run ended: haproxy"},
		{"the heal failed", healthy, evidence.FaultKill, both(undoFailed, func(h *history) { h.Observations = without(h.Observations, evidence.SourceHAProxy, up) }), check.Unknown, "gateway-2 was down when the run ended, and the harness had not brought it back: engine gone"},
		{"the heal of another failed", healthy, evidence.FaultKill, both(undoFailed, says(0, ready, "gateway-1", down)), check.Fail, "gateway-1 had not recovered"},
		{"not ready any more", healthy, "", says(0, ready, "gateway-1", down), check.Fail, "gateway-1 had not recovered when the run ended: ready last called it down: status 503"},
		{"ready again", healthy, "", both(says(0, ready, "gateway-1", down), says(time.Second, ready, "gateway-1", up)), check.Pass, ""},
		{"up says another", healthy, "", both(says(0, ready, "gateway-1", down), says(time.Second, evidence.SourceHAProxy, "gateway-1", up)), check.Fail, "gateway-1"},
		{"another node never back", healthy, "", says(0, "redis", "llm-1", down), check.Unknown, "llm-1 was still down when the run ended, says redis"},
		{"the service and another", healthy, "", both(says(0, "redis", "llm-1", down), says(0, ready, "gateway-3", down)), check.Fail, "gateway-3"},
		{"nobody looked", healthy, "", func(h *history) { h.Observations = nil }, check.Unknown, "nobody observed gateway-1"},
		{"no service", healthy, "", func(h *history) { h.Nodes = nil }, check.Unknown, "no node of the service"},
	}
}

func undoFailed(h *history) { h.Injections[0].Undo = "engine gone" }

func without(all []evidence.Observation, source, what string) (kept []evidence.Observation) {
	for _, o := range all {
		if o.Source != source || o.What != what {
			kept = append(kept, o)
		}
	}
	return kept
}
