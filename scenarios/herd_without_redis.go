package scenarios

import (
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway/claims"
	"github.com/sentinel-chaos/sentinel/fixtures/stores/redisha"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
)

// HerdWithoutRedis sends the thundering herd when Postgres is the only lease store, for answers that take longer than a lease. All
// of Redis dies before it and comes back empty after it.
func HerdWithoutRedis() harness.Scenario {
	client, keys := herd(4*time.Second, [2]string{"acme", "globex"}, "initech")
	return harness.Scenario{
		Name:      "herd-without-redis",
		Claim:     "With every Redis dead, 1,000 requests at once for 10 cold keys, and 400 more over the next 2 s, still cost exactly 10 LLM calls, though each of them outlives its lease.",
		System:    longCalls(),
		Load:      afterHerd(client, 18*time.Second),
		Faults:    redisha.Down(0, 10*time.Second),
		Expect:    base(claims.ExactCalls(keys)),
		Sometimes: []check.Check{claims.SawCallsBeyondLease()},
	}
}
