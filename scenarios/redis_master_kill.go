package scenarios

import (
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/claims"
	"github.com/sentinel-chaos/sentinel/fixtures/stores/redisha"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/fault"
)

// RedisMasterKill kills the master for longer than a failover takes. It comes back empty and becomes a replica.
func RedisMasterKill() harness.Scenario {
	const lasts = 6 * time.Second
	f := fault.Kill(redisha.Master())
	return harness.Scenario{
		Name:      "redis-master-kill",
		Claim:     "While the Redis master is killed and another takes its place, no request takes longer than is normal by more than the budgets of Redis and Postgres and 100 ms.",
		System:    gateway.Stack{},
		Load:      steady(gateway.DefaultTenants(), faultAt+lasts+shortTail),
		Faults:    during(f, faultAt, lasts),
		Expect:    base(gateway.QuickHits(), gateway.Cover(), gateway.EndsInTime(), check.WorstAddedLatency(f.Name, addedByRedis), check.RecoversWithin(f.Name, recovery)),
		Sometimes: []check.Check{check.FailedOver(f.Name, redisha.SourceRole, redisha.SawMaster), claims.SawHitsAndMisses()},
		Short:     true,
	}
}
