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
	warm, asks := script(tr)
	for range rapid.IntRange(0, 60).Draw(t, "requests") {
		asks = append(asks, ask{
			due:     time.Duration(rapid.IntRange(0, 9000).Draw(t, "due")) * time.Millisecond,
			tenant:  rapid.SampledFrom([]string{"acme", "globex", "initech"}).Draw(t, "tenant"),
			topic:   rapid.IntRange(0, 8).Draw(t, "topic"),
			replica: rapid.IntRange(1, 3).Draw(t, "replica"),
			fails:   rapid.IntRange(0, 9).Draw(t, "fails") == 0,
		})
	}
	return simulate(warm, asks, tr)
}

// checksFor are all checks that a history with that fault must pass.
func checksFor(h *history) []check.Check {
	calls := uint64(0)
	for _, u := range h.Upstream {
		if u.Arrived >= loadFrom {
			calls++
		}
	}
	all := append(check.Assumptions(), check.NothingDropped(), check.OncePerKey(), check.ExactCalls(calls), check.RightAnswer(),
		check.NoHiddenRetries(), check.GaugesReturnToZero(gauge), check.Accounting(counters()), check.SawHitsAndMisses(),
		check.TenantIsolation(), check.SameKeySameAnswer())
	if h.trouble.kind != "" {
		all = append(all, check.ServesAgain(victim), check.InFlightAt(h.trouble.kind+" "+victim, 0))
	}
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
		for in := range run.Injections() {
			certificate := map[string]check.Certificate{evidence.FaultTerm: check.Terminated, evidence.FaultKill: check.Killed}[in.Kind()]
			if c := check.Certify(run, in, certificate); !c.Certified {
				t.Errorf("%s: %s", in.Fault, c.Missing)
			}
		}
	})
}
