package scenarios

import (
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// SlowLLM makes every LLM call take longer than its timeout, and heals under load.
func SlowLLM() harness.Scenario {
	const (
		lasts   = 10 * time.Second // ends between two rounds of probes: open at 2 s, half-open at 7 s, open again at 9 s
		settled = llmTimeout + 2*time.Second
		probes  = 3 * breakerProbes
	)
	f := fixtures.LLMSlow(llmTimeout + time.Second)
	client := steady(fixtures.DefaultTenants(), faultAt+lasts+shortTail)
	// Misses alone, from the first that may meet the slow LLM to the breaker's recovery.
	client.Allow = []evidence.Allowance{{From: faultAt - time.Second/2, To: faultAt + lasts + breakerOpen + time.Second, Share: 1}}
	return harness.Scenario{
		Name:   "slow-llm",
		Claim:  "While the LLM is slower than its timeout, no request waits longer than is normal by more than that and 100 ms, only misses are refused, the LLM is left alone but for probes, and all is well 6 s after the heal.",
		System: fixtures.GatewayStack{},
		Load:   client,
		Faults: during(f, faultAt, lasts),
		Probes: observers(),
		Expect: base(check.WorstAddedLatency(f.Name, f.Certificate, llmTimeout+slack), check.CallsHeldBack(f.Name, f.Certificate, settled, probes),
			check.RecoversAfterHeal(f.Name, f.Certificate, breakerOpen+time.Second), check.RetryAfterHonest()),
		Sometimes: []check.Check{check.SawHitsAndMisses()},
		Short:     true,
	}
}
