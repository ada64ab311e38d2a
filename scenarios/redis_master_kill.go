package scenarios

import (
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
)

// RedisMasterKill kills the master for longer than a failover takes. It comes back empty and becomes a replica.
func RedisMasterKill() harness.Scenario {
	const lasts = 6 * time.Second
	f := fixtures.RedisMasterKill()
	return harness.Scenario{
		Name:      "redis-master-kill",
		Claim:     "While the Redis master is killed and another takes its place, no request takes longer than is normal by more than the Redis budget and 100 ms.",
		System:    fixtures.GatewayStack{},
		Load:      steady(fixtures.DefaultTenants(), faultAt+lasts+shortTail),
		Faults:    during(f, faultAt, lasts),
		Probes:    observers(),
		Expect:    base(check.WorstAddedLatency(f.Name, f.Certificate, redisBudget+slack), check.RecoversWithin(f.Name, f.Certificate, lease)),
		Sometimes: []check.Check{check.FailedOver(f.Name, f.Certificate, fixtures.SourceRedisRole, fixtures.RedisMaster), check.SawHitsAndMisses()},
		Short:     true,
	}
}
