package scenarios

import (
	"strconv"
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/claims"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/record"
	"github.com/sentinel-chaos/sentinel/fixtures/stores/redisha"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// LimitsWithoutRedis lets one key flood through all replicas while every Redis is away.
//
// Each of three replicas then has a bucket of its own, with a third of the burst and a third of the rate. The flood asks each replica
// for four times its third, whatever the load balancer does with other requests. So together they let through the burst and the rate,
// as the shared bucket would, less a token that may be left over in each: 3 of some 420, which is less than 1 %. The flood is over
// before Redis is back: its buckets have been filling since, and would let another burst through.
func LimitsWithoutRedis() harness.Scenario {
	const (
		limit, burst     = 40, 60        // requests/s, and requests
		others, flood    = 30, 4 * limit // requests/s, of two tenants together and of the third
		at, lasts        = 5 * time.Second, 11 * time.Second
		from, floodLasts = at + time.Second, 9 * time.Second // every replica has found Redis unavailable by then
		refusable        = 0.7                               // of the misses due meanwhile: the flood's 1,440 less the 420 that are let through, and some 80 others
	)
	client := steadyAt(others, []string{"globex", "initech"}, at+lasts+shortTail)
	client.Stages = append(client.Stages, floods("flood", flood, from, floodLasts))
	client.Warmup = append(client.Warmup, floods("first flood", flood, 3*time.Second, 300*time.Millisecond))
	client.Allow = []evidence.Allowance{{From: from, To: from + floodLasts + time.Second, Share: refusable, Classes: []string{record.Miss}}}
	faults := redisha.Down(at, lasts)
	return harness.Scenario{
		Name:   "limits-without-redis",
		Claim:  "With every Redis away, of a key that floods through all replicas its burst and its rate are let through, within 1 %, nobody else is refused anything, and Retry-After holds.",
		System: gateway.Stack{Env: map[string]string{"SENTINEL_RATE_KEY": strconv.Itoa(limit), "SENTINEL_RATE_KEY_BURST": strconv.Itoa(burst)}},
		Load:   client,
		Faults: faults,
		Expect: base(claims.LimitHolds("flood"), check.RetryAfterHonest(claims.Insight()),
			check.RecoversAfterHeal(faults[0].Fault.Name, lease)),
		Sometimes: []check.Check{check.SawRises(gateway.MetricOwnRefusals, 1), claims.SawHitsAndMisses(), check.SawRefusals(1)},
	}
}
