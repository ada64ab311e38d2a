package scenarios

import (
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
)

// RedisMasterFreeze freezes the master and thaws it when another has taken its place: for a moment there are two.
func RedisMasterFreeze() harness.Scenario {
	const lasts = 6 * time.Second
	f := fixtures.RedisMasterFreeze()
	return harness.Scenario{
		Name:      "redis-master-freeze",
		Claim:     "While the Redis master is frozen, and when it is thawed as a second master, no request takes longer than is normal by more than the Redis budget and 100 ms.",
		System:    fixtures.GatewayStack{},
		Load:      steady(fixtures.DefaultTenants(), faultAt+lasts+shortTail),
		Faults:    during(f, faultAt, lasts),
		Probes:    observers(),
		Expect:    base(check.WorstAddedLatency(f.Name, f.Certificate, redisBudget+slack), check.RecoversWithin(f.Name, f.Certificate, lease)),
		Sometimes: []check.Check{check.FailedOver(f.Name, f.Certificate, fixtures.SourceRedisRole, fixtures.RedisMaster), check.SawHitsAndMisses()},
	}
}
