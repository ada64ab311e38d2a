package check_test

import (
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// upgraded has the victim come back, healed at 7 s, as the version and the build; before, it was another.
func upgraded(version, build string) func(*history) {
	return both(says(0, evidence.SourceVersion, victim, "old"), says(0, evidence.SourceBuild, victim, "image-1"),
		says(8*time.Second, evidence.SourceVersion, victim, version), says(8*time.Second, evidence.SourceBuild, victim, build))
}

func rolloutCases() []verdictCase {
	const term = evidence.FaultTerm
	ends := check.EndsOnBuild("next", victim)
	two := check.EndsOnBuild("next", "app-1", victim)
	other := func(version, build string) func(*history) {
		return func(h *history) {
			upgraded("next", "image-2")(h)
			says(0, evidence.SourceVersion, "app-1", version)(h)
			says(0, evidence.SourceBuild, "app-1", build)(h)
		}
	}
	// first has app-1 replaced, too, or tried to.
	first := func(undo string, alter func(*history)) func(*history) {
		return func(h *history) {
			alter(h)
			in := h.injections[0]
			in.Fault, in.Target, in.Undo = "term app-1", "app-1", undo
			h.injections = append(h.injections, in)
		}
	}
	return []verdictCase{
		{"upgraded", ends, term, upgraded("next", "image-2"), check.Pass, "one build"},
		{"the old one again", ends, term, upgraded("old", "image-1"), check.Fail, `as version "old"`},
		{"nobody looked", ends, term, unchanged, check.Unknown, "nobody saw"},
		{"its word alone", ends, term, says(0, evidence.SourceVersion, victim, "next"), check.Unknown, "nobody saw"},
		{"no nodes", check.EndsOnBuild("next"), term, unchanged, check.Unknown, "no node"},
		{"both on it", two, term, other("next", "image-2"), check.Pass, "all 2 nodes"},
		{"one came back the same", two, term, first("", other("old", "image-1")), check.Fail, "app-1 ends as version"},
		{"one that only says so", two, term, first("", other("next", "image-1")), check.Fail, "on 2 builds"},
		{"one was never replaced", two, term, other("old", "image-1"), check.Unknown, `app-1 ends as version "old", and was not replaced`},
		{"one could not be replaced", two, term, first("engine gone", other("old", "image-1")), check.Unknown, "and was not replaced"},
		{"one was never replaced, and says otherwise", two, term, other("next", "image-1"), check.Unknown, "on 2 builds, and app-1 was not replaced"},
		{"one was never replaced, and another came back the same", two, term, func(h *history) {
			upgraded("old", "image-1")(h)
			says(0, evidence.SourceVersion, "app-1", "old")(h)
			says(0, evidence.SourceBuild, "app-1", "image-1")(h)
		}, check.Fail, `app-2 ends as version "old"`},
	}
}
