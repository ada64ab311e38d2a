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

// PostgresStandbyFreeze hangs the synchronous standby: every commit stalls until Patroni names another one, up to the ttl. A
// miss commits twice, its claim and its answer.
func PostgresStandbyFreeze() harness.Scenario {
	const lasts = 28 * time.Second
	f := fault.Pause(postgresha.SyncStandby())
	return harness.Scenario{
		Name:      "postgres-standby-freeze",
		Claim:     "While every commit stalls because the synchronous standby hangs, requests do not: none takes longer than is normal by more than two Postgres budgets and 100 ms.",
		System:    gateway.Stack{},
		Load:      steady(gateway.DefaultTenants(), faultAt+lasts+tail),
		Faults:    during(f, faultAt, lasts),
		Expect:    base(gateway.QuickHits(), check.WorstAddedLatency(f.Name, addedByPostgres), check.RecoversWithin(f.Name, recovery)),
		Sometimes: []check.Check{check.FailedOver(f.Name, postgresha.SourcePatroni, postgresha.SawSyncStandby), claims.SawHitsAndMisses()},
	}
}
