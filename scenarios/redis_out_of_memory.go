package scenarios

import (
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/claims"
	"github.com/sentinel-chaos/sentinel/fixtures/stores/postgresha"
	"github.com/sentinel-chaos/sentinel/fixtures/stores/redisha"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
)

// RedisOutOfMemory leaves the Redis master without memory for writes. It goes on answering, so that nobody else takes its place.
//
// Whatever a gateway asks of Redis is a write: of a hit, too, the tokens and the row. The first refusal makes Redis unavailable for a
// second at least, and PostgreSQL answers. What was on its way to Redis then has waited for one budget at most.
func RedisOutOfMemory() harness.Scenario {
	const lasts = 10 * time.Second
	f := redisha.MasterOutOfMemory()
	return harness.Scenario{
		Name:   "redis-out-of-memory",
		Claim:  "While Redis has no memory for writes, requests are answered, none later than is normal by more than the budgets of Redis and Postgres and 100 ms, none is refused, no key is called twice, and neither Postgres nor the LLM is blamed for it.",
		System: gateway.Stack{},
		Load:   steady(gateway.DefaultTenants(), faultAt+lasts+shortTail),
		Faults: during(f, faultAt, lasts),
		Expect: base(gateway.QuickHits(), gateway.Cover(), gateway.EndsInTime(), check.WorstAddedLatency(f.Name, addedByRedis), check.RecoversWithin(f.Name, recovery),
			check.StaysZero(gateway.MetricBreaker), check.StaysZero(gateway.MetricUnavailable(postgresha.Role))),
		Sometimes: []check.Check{check.SawRises(gateway.MetricUnavailable(redisha.Role), 1), claims.SawHitsAndMisses()},
	}
}
