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
//
// Another key floods from before the fault until after it. What the shared buckets let through must not come again from the replicas' own
// ones. Those know only what their replica let through, so that they may have a few tokens more; half a burst is still no second one.
func LimitsWithoutRedis() harness.Scenario {
	const (
		limit, burst     = 40, 60        // requests/s, and requests
		others, flood    = 30, 4 * limit // requests/s, of two tenants together and of the third
		at, lasts        = 5 * time.Second, 11 * time.Second
		from, floodLasts = at + time.Second, 9 * time.Second // every replica has found Redis unavailable by then
		across           = 3 * limit                         // requests/s, by another key of the third
		before, after    = 3 * time.Second, time.Second      // the start of the fault; the burst is used up in a quarter of that
		refusable        = 0.7                               // of the misses due meanwhile: the floods' 1,920 less the 640 that are let through, and some 120 others
	)
	client := steadyAt(others, []string{"globex", "initech"}, at+lasts+shortTail)
	client.Stages = append(client.Stages, floods("flood", flood, from, floodLasts), bySecondKey(floods("flood across", across, at-before, before+after)))
	client.Warmup = append(client.Warmup, floods("first flood", flood, 3*time.Second, 300*time.Millisecond))
	client.Allow = []evidence.Allowance{{From: at - before, To: from + floodLasts + time.Second, Share: refusable, Classes: []string{record.Miss}}}
	faults := redisha.Down(at, lasts)
	return harness.Scenario{
		Name:   "limits-without-redis",
		Claim:  "With every Redis away, of a key that floods through all replicas its burst and its rate are let through, within 1 %, nobody else is refused anything, no key gets its burst again when Redis goes, and Retry-After holds.",
		System: gateway.Stack{TwoKeys: []string{"acme"}, Env: map[string]string{"SENTINEL_RATE_KEY": strconv.Itoa(limit), "SENTINEL_RATE_KEY_BURST": strconv.Itoa(burst)}},
		Load:   client,
		Faults: faults,
		Expect: base(claims.LimitHolds("flood", check.Flood{Stage: "flood across", Over: 0.5}), check.RetryAfterHonest(claims.Insight()),
			check.RecoversAfterHeal(faults[0].Fault.Name, recovery)),
		Sometimes: []check.Check{check.SawRises(gateway.MetricOwnRefusals, 1), claims.SawHitsAndMisses(), check.SawRefusals(1)},
	}
}
