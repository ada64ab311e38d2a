package scenarios

import (
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/claims"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/record"
	"github.com/sentinel-chaos/sentinel/fixtures/upstream"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// FlappingLLM has the LLM fail every call of every other second.
func FlappingLLM() harness.Scenario {
	const (
		phase = time.Second
		at    = faultAt / 2
		lasts = 20 * phase
	)
	f := upstream.Flaps(phase, phase)
	client := steady(gateway.DefaultTenants(), at+lasts+5*time.Second)
	// A call that was answered 500 is repeated for 2 s, and so meets a good second. Few of the misses may fail even so.
	client.Allow = []evidence.Allowance{{From: at - time.Second/2, To: at + lasts + time.Second, Share: 0.1, Classes: []string{record.Miss}}}
	return harness.Scenario{
		Name:      "flapping-llm",
		Claim:     "While the LLM fails every call for a second, then none for a second, at least 90 % of the misses that are due in good seconds are answered, and 90 % of all.",
		System:    gateway.Stack{},
		Load:      ofOneModel(client),
		Faults:    during(f, at, lasts),
		Expect:    base(gateway.QuickHits(), claims.OkInGoodSpells(f.Name, phase, phase, 0.9), check.RetryAfterHonest(claims.Insight())),
		Sometimes: []check.Check{claims.SawHitsAndMisses()},
	}
}
