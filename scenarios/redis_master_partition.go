package scenarios

import (
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/claims"
	"github.com/sentinel-chaos/sentinel/fixtures/stores/redisha"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
)

// RedisMasterPartition leaves the gateways two masters: the old one, which nobody follows and all but one gateway still reach,
// and the one that the Redis Sentinels have made.
func RedisMasterPartition() harness.Scenario {
	const lasts = 6 * time.Second
	f, beyond := redisha.MasterPartition(), gateway.CutFromRedisMaster("gateway-3")
	return harness.Scenario{
		Name:      "redis-master-partition",
		Claim:     "While there are two Redis masters, the old one cut off from its replicas and from one gateway, and still reached by the others, no key is called twice, and no request takes longer than is normal by more than the budgets of Redis and Postgres and 100 ms.",
		System:    gateway.Stack{},
		Load:      steady(gateway.DefaultTenants(), faultAt+lasts+shortTail),
		Faults:    append(during(f, faultAt, lasts), during(beyond, faultAt, lasts)...),
		Expect:    base(gateway.QuickHits(), gateway.Cover(), gateway.EndsInTime(), check.WorstAddedLatency(f.Name, addedByRedis), check.RecoversWithin(f.Name, recovery)),
		Sometimes: []check.Check{check.FailedOver(f.Name, redisha.SourceRole, redisha.SawMaster), claims.SawHitsAndMisses()},
	}
}
