package scenarios

import (
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
)

// PostgresStandbyFreeze hangs the synchronous standby: every commit stalls until Patroni names another one, up to the ttl. A
// miss commits twice, its claim and its answer.
func PostgresStandbyFreeze() harness.Scenario {
	const lasts = 28 * time.Second
	f := fixtures.PostgresStandbyFreeze()
	return harness.Scenario{
		Name:      "postgres-standby-freeze",
		Claim:     "While every commit stalls because the synchronous standby hangs, requests do not: none takes longer than is normal by more than two Postgres budgets and 100 ms.",
		System:    fixtures.GatewayStack{},
		Load:      steady(fixtures.DefaultTenants(), faultAt+lasts+tail),
		Faults:    during(f, faultAt, lasts),
		Probes:    observers(),
		Expect:    base(check.WorstAddedLatency(f.Name, f.Certificate, 2*postgresBudget+slack), check.RecoversWithin(f.Name, f.Certificate, lease)),
		Sometimes: []check.Check{check.FailedOver(f.Name, f.Certificate, fixtures.SourcePatroni, fixtures.PostgresSyncStandby), check.SawHitsAndMisses()},
	}
}
