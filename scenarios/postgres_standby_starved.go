package scenarios

import (
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/claims"
	"github.com/sentinel-chaos/sentinel/fixtures/stores/postgresha"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/fault"
)

// PostgresStandbyStarved leaves the synchronous standby a hundredth of a core, as a noisy neighbour does: it is alive, and every commit
// waits for it. The quicker the machine, the less it hangs; PostgresStandbyFreeze is the worst of it.
func PostgresStandbyStarved() harness.Scenario {
	const (
		lasts = 10 * time.Second
		cores = 0.01
	)
	f := fault.CPUQuota(postgresha.SyncStandby(), cores)
	return harness.Scenario{
		Name:   "postgres-standby-starved",
		Claim:  "While every commit waits for a synchronous standby that gets a hundredth of a core, requests are answered, none later than is normal by more than two Postgres budgets and 100 ms.",
		System: gateway.Stack{},
		Load:   steady(gateway.DefaultTenants(), faultAt+lasts+tail),
		Faults: during(f, faultAt, lasts),
		Expect: base(gateway.QuickHits(), check.WorstAddedLatency(f.Name, addedByPostgres),
			check.RecoversAfterHeal(f.Name, recovery)),
		Sometimes: []check.Check{claims.SawHitsAndMisses()},
	}
}
