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

// RedisMasterFreeze pauses the master and resumes it when another has taken its place: for a moment there are two.
func RedisMasterFreeze() harness.Scenario {
	const lasts = 6 * time.Second
	f := fault.Pause(redisha.Master())
	return harness.Scenario{
		Name:      "redis-master-freeze",
		Claim:     "While the Redis master is paused, and when it is resumed as a second master, no request takes longer than is normal by more than the budgets of Redis and Postgres and 100 ms.",
		System:    gateway.Stack{},
		Load:      steady(gateway.DefaultTenants(), faultAt+lasts+shortTail),
		Faults:    during(f, faultAt, lasts),
		Expect:    base(gateway.QuickHits(), check.WorstAddedLatency(f.Name, addedByRedis), check.RecoversWithin(f.Name, recovery)),
		Sometimes: []check.Check{check.FailedOver(f.Name, redisha.SourceRole, redisha.SawMaster), claims.SawHitsAndMisses()},
	}
}
