package scenarios

import (
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
)

// RedisMasterPartition leaves the gateways two masters: the old one, which nobody follows and all but one gateway still reach,
// and the one that the Redis Sentinels have made.
func RedisMasterPartition() harness.Scenario {
	const lasts = 6 * time.Second
	f, beyond := fixtures.RedisMasterPartition(), fixtures.GatewayCutFromRedisMaster("gateway-3")
	return harness.Scenario{
		Name:      "redis-master-partition",
		Claim:     "While there are two Redis masters, the old one cut off from its replicas and from one gateway, and still reached by the others, no key is called twice, and no request takes longer than is normal by more than the Redis budget and 100 ms.",
		System:    fixtures.GatewayStack{},
		Load:      steady(fixtures.DefaultTenants(), faultAt+lasts+shortTail),
		Faults:    append(during(f, faultAt, lasts), during(beyond, faultAt, lasts)...),
		Probes:    append(observers(), fixtures.RedisReach(), fixtures.RedisMasterReach("gateway-3")),
		Expect:    base(check.WorstAddedLatency(f.Name, f.Certificate, redisBudget+slack), check.RecoversWithin(f.Name, f.Certificate, lease)),
		Sometimes: []check.Check{check.FailedOver(f.Name, f.Certificate, fixtures.SourceRedisRole, fixtures.RedisMaster), check.SawHitsAndMisses()},
	}
}
