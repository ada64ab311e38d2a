package check_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// says adds what a source says of a node, at a moment from the start of the load.
func says(at time.Duration, source, node, what string) func(*history) {
	return func(h *history) {
		h.Observations = append(h.Observations, evidence.Observation{At: loadFrom + at, Source: source, Node: node, What: what})
	}
}

// upgraded has the victim come back, healed at 7 s, as the version and the build; before, it was another.
func upgraded(version, build string) func(*history) {
	return func(h *history) {
		for _, alter := range []func(*history){
			says(0, evidence.SourceVersion, victim, "old"), says(0, evidence.SourceBuild, victim, "image-1"),
			says(8*time.Second, evidence.SourceVersion, victim, version), says(8*time.Second, evidence.SourceBuild, victim, build),
		} {
			alter(h)
		}
	}
}

func buildCases() []verdictCase {
	const term = evidence.FaultTerm
	ends := check.EndsOnBuild("next", victim)
	two := check.EndsOnBuild("next", "gateway-1", victim)
	other := func(version, build string) func(*history) {
		return func(h *history) {
			upgraded("next", "image-2")(h)
			says(0, evidence.SourceVersion, "gateway-1", version)(h)
			says(0, evidence.SourceBuild, "gateway-1", build)(h)
		}
	}
	// first has gateway-1 replaced, too, or tried to.
	first := func(undo string, alter func(*history)) func(*history) {
		return func(h *history) {
			alter(h)
			in := h.Injections[0]
			in.Fault, in.Target, in.Undo = "term gateway-1", "gateway-1", undo
			h.Injections = append(h.Injections, in)
		}
	}
	return []verdictCase{
		{"upgraded", ends, term, upgraded("next", "image-2"), check.Pass, "one build"},
		{"the old one again", ends, term, upgraded("old", "image-1"), check.Fail, `as version "old"`},
		{"nobody looked", ends, term, func(*history) {}, check.Unknown, "nobody saw"},
		{"its word alone", ends, term, says(0, evidence.SourceVersion, victim, "next"), check.Unknown, "nobody saw"},
		{"no nodes", check.EndsOnBuild("next"), term, func(*history) {}, check.Unknown, "no node"},
		{"both on it", two, term, other("next", "image-2"), check.Pass, "all 2 nodes"},
		{"one came back the same", two, term, first("", other("old", "image-1")), check.Fail, "gateway-1 ends as version"},
		{"one that only says so", two, term, first("", other("next", "image-1")), check.Fail, "on 2 builds"},
		{"one was never replaced", two, term, other("old", "image-1"), check.Unknown, `gateway-1 ends as version "old", and was not replaced`},
		{"one could not be replaced", two, term, first("engine gone", other("old", "image-1")), check.Unknown, "and was not replaced"},
		{"one was never replaced, and says otherwise", two, term, other("next", "image-1"), check.Unknown, "on 2 builds, and gateway-1 was not replaced"},
		{"one was never replaced, and another came back the same", two, term, func(h *history) {
			upgraded("old", "image-1")(h)
			says(0, evidence.SourceVersion, "gateway-1", "old")(h)
			says(0, evidence.SourceBuild, "gateway-1", "image-1")(h)
		}, check.Fail, `gateway-2 ends as version "old"`},
	}
}

// TestUpgradeIsCertified by all that must be seen, and not without one of it.
func TestUpgradeIsCertified(t *testing.T) {
	for _, c := range []struct {
		name    string
		alter   func(*history)
		missing string // empty if certified
	}{
		{"all seen", upgraded("next", "image-2"), ""},
		{"ended otherwise", func(h *history) { upgraded("next", "image-2")(h); h.Exits[0].Code = 1 }, "ended with code 1"},
		{"the same build", upgraded("next", "image-1"), "from another build"},
		{"the engine was not asked", says(8*time.Second, evidence.SourceVersion, victim, "next"), "from another build"},
		{"the same boot", func(h *history) {
			upgraded("next", "image-2")(h)
			samples(victim, 0, func(s *evidence.Sample) { s.Boot = boot1 })(h)
		}, "no other boot"},
		{"the old version", upgraded("old", "image-2"), `is version "old", not "next"`},
		{"no version told", func(h *history) {
			upgraded("next", "image-2")(h)
			h.Observations = slices.DeleteFunc(h.Observations, func(o evidence.Observation) bool { return o.Source == evidence.SourceVersion })
		}, `is version ""`},
		{"never ended", func(h *history) { upgraded("next", "image-2")(h); h.Exits = nil }, "no exit"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := scripted(evidence.FaultTerm)
			c.alter(h)
			got := check.Certify(h.run(), h.Injections[0], check.Upgraded("next"))
			if got.Certified != (c.missing == "") || !strings.Contains(got.Missing, c.missing) {
				t.Errorf("certified %t, missing %q; want missing %q", got.Certified, got.Missing, c.missing)
			}
		})
	}
}
