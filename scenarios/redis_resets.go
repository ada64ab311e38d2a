package scenarios

import (
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/claims"
	"github.com/sentinel-chaos/sentinel/fixtures/stores/redisha"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
)

// RedisResets resets every connection of the Redis master, with gateways, replicas and Redis Sentinels. Nobody waits in vain for it,
// and whoever tries again at once is refused at once, until another one is the master.
func RedisResets() harness.Scenario {
	const lasts = 6 * time.Second
	f := redisha.MasterResets(gateway.Role)
	return harness.Scenario{
		Name:      "redis-resets",
		Claim:     "While every connection of the Redis master is reset, and when it is back after another has taken its place, no key is called twice, and no request takes longer than is normal by more than the budgets of Redis and Postgres and 100 ms.",
		System:    gateway.Stack{},
		Load:      steady(gateway.DefaultTenants(), faultAt+lasts+shortTail),
		Faults:    during(f, faultAt, lasts),
		Expect:    base(gateway.QuickHits(), gateway.Cover(), gateway.EndsInTime(), check.WorstAddedLatency(f.Name, addedByRedis), check.RecoversWithin(f.Name, recovery)),
		Sometimes: []check.Check{check.FailedOver(f.Name, redisha.SourceRole, redisha.SawMaster), claims.SawHitsAndMisses()},
	}
}
