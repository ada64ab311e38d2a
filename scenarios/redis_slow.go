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

// RedisSlow adds 50 to 200 ms to every operation of the Redis master: a miss has three, one to look, one for the lock, one for
// the answer, and each that takes too long is given up after the Redis budget.
func RedisSlow() harness.Scenario {
	const lasts = 10 * time.Second
	f := redisha.MasterBrownOut()
	return harness.Scenario{
		Name:   "redis-slow",
		Claim:  "While every operation of Redis takes 50 to 200 ms longer, requests are answered, none later than is normal by more than three Redis budgets and 100 ms, none is refused, no key is called twice, and neither Postgres nor the LLM is blamed for it.",
		System: gateway.Stack{},
		Load:   steady(gateway.DefaultTenants(), faultAt+lasts+shortTail),
		Faults: during(f, faultAt, lasts),
		Expect: base(gateway.QuickHits(), check.WorstAddedLatency(f.Name, addedBySlowRedis),
			check.RecoversAfterHeal(f.Name, recovery),
			check.StaysZero(gateway.MetricBreaker), check.StaysZero(gateway.MetricUnavailable(postgresha.Role))),
		Sometimes: []check.Check{claims.SawHitsAndMisses()},
	}
}
