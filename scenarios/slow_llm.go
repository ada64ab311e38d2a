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

// SlowLLM makes every LLM call take longer than its timeout, and heals under load.
func SlowLLM() harness.Scenario {
	const (
		// Ends when a first round of probes has failed, and before the second: a breaker that opens for an attempt that began
		// within the first 2 s lets probes through 5 and 10 s later. One that counted from the end of that attempt, and of the
		// probe, would have let the first through at the end, and be late with the second.
		lasts = 8500 * time.Millisecond
	)
	var (
		settled = llmTimeout + 2*time.Second // from then on less than breakerOpen is left: one round
		probes  = 3 * probesInARound
	)
	f := upstream.Slow(llmTimeout + time.Second)
	client := steady(gateway.DefaultTenants(), faultAt+lasts+shortTail)
	// Misses alone, from the first that may meet the slow LLM to the breaker's recovery.
	client.Allow = []evidence.Allowance{{From: faultAt - time.Second/2, To: faultAt + lasts + breakerOpen + time.Second, Share: 1, Classes: []string{record.Miss}}}
	return harness.Scenario{
		Name:   "slow-llm",
		Claim:  "While the LLM is slower than its timeout, no request waits longer than is normal by more than two of these and 100 ms, another replica's call and its own, only misses are refused, the LLM is left alone but for probes, and all is well 6 s after the heal.",
		System: gateway.Stack{},
		Load:   ofOneModel(client),
		Faults: during(f, faultAt, lasts),
		Expect: base(gateway.QuickHits(), check.WorstAddedLatency(f.Name, addedByLLM), claims.CallsHeldBack(f.Name, settled, probes),
			check.RecoversAfterHeal(f.Name, breakerRecovery), check.RetryAfterHonest(claims.Insight())),
		Sometimes: []check.Check{claims.SawHitsAndMisses(), check.SawRefusals(1)},
		Short:     true,
	}
}
