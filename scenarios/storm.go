package scenarios

import (
	"fmt"
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/claims"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/record"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/load"
)

// Storm breaks stores, replicas and the LLM by a plan that the run's seed draws, several at a time.
func Storm() harness.Scenario {
	const (
		length = stormOver + 8*time.Second
		rate   = 23 // per second; with one that divides the pace the load balancer would give a round to the same replica for ever
		again  = 7 * time.Second
	)
	client := steady(gateway.DefaultTenants(), length)
	// Each question comes twice: a call whose answer was lost shows when it is asked again.
	for i, start := range []time.Duration{0, again} {
		client.Stages = append(client.Stages, load.Stage{Name: fmt.Sprintf("round %d", i+1), Start: start,
			Shape: load.Constant(rate, length-again), Request: question})
	}
	// Misses alone, and RefusedOnlyWithoutAuthority says which.
	client.Allow = []evidence.Allowance{{To: length + time.Second, Share: 1, Classes: []string{record.Miss}}}
	return harness.Scenario{
		Name:   "storm",
		Claim:  "While stores, replicas and the LLM fail as a seed has it, several at a time, no hit is refused, no miss but for want of a lease store that takes writes or for the LLM, and every other promise holds.",
		System: gateway.Stack{Env: map[string]string{"SENTINEL_CACHE_TTL": "2m"}}, // no hit dies
		Load:   client,
		Draw:   drawStorm,
		Probes: gateway.AuthorityProbes(),
		Expect: baseOf(gateway.Authorities(), claims.RefusedOnlyWithoutAuthority(claims.Excuses{Authorities: gateway.Authorities(), Linger: lease,
			Faults: []string{llmErrors().Name}, Settle: llmTimeout}), check.RetryAfterHonest(claims.Insight(gateway.Authorities()...))),
		Sometimes: []check.Check{claims.SawHitsAndMisses()},
	}
}
