package check_test

import (
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"pgregory.net/rapid"
)

// draw makes a correct history with random requests and a random fault.
func draw(t *rapid.T) *history {
	tr := trouble{kind: rapid.SampledFrom([]string{"", evidence.FaultTerm, evidence.FaultKill}).Draw(t, "kind"),
		at: time.Duration(rapid.IntRange(2000, 6000).Draw(t, "at")) * time.Millisecond}
	tr.heal = tr.at + time.Duration(rapid.IntRange(1500, 3000).Draw(t, "for"))*time.Millisecond
	asks := script(tr)
	for range rapid.IntRange(0, 60).Draw(t, "requests") {
		asks = append(asks, ask{
			due:     time.Duration(rapid.IntRange(0, 9000).Draw(t, "due")) * time.Millisecond,
			user:    rapid.SampledFrom([]string{"ann", "bob", "cat"}).Draw(t, "user"),
			key:     rapid.SampledFrom([]string{"a", "b"}).Draw(t, "key"),
			class:   rapid.SampledFrom([]string{quick, slow}).Draw(t, "class"),
			replica: rapid.IntRange(1, 3).Draw(t, "replica"),
		})
	}
	h := simulate(asks, tr)
	collected(evidence.ProbeExits)(h)
	return h
}

// checksFor are all checks that a history with that fault must pass.
func checksFor(h *history) []check.Check {
	all := append(check.Assumptions(), check.NothingDropped(), check.GaugesReturnToZero(gauges(gauge)))
	if h.trouble.kind == evidence.FaultTerm {
		all = append(all, check.CleanExit(victim))
	}
	return all
}

func TestCorrectHistoriesPass(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := draw(t)
		run := h.run()
		for _, c := range checksFor(h) {
			if v := c.Judge(run); v.Status != check.Pass {
				t.Errorf("%s: %s: %s", v.Check, v.Status, v.Reason)
			}
		}
	})
}
