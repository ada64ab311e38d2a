package scenarios

import (
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
)

// PostgresCrash kills the postmaster inside the primary's node; its Patroni hands over the lead.
func PostgresCrash() harness.Scenario {
	const lasts = 10 * time.Second
	f := fixtures.PostgresCrash()
	return harness.Scenario{
		Name:      "postgres-crash",
		Claim:     "When the Postgres server of the primary crashes and a standby takes over, hits and misses are served throughout, the ledger is complete afterwards, and no connection stays on the old primary.",
		System:    fixtures.GatewayStack{},
		Load:      steady(fixtures.DefaultTenants(), faultAt+lasts+tail),
		Faults:    during(f, faultAt, lasts),
		Probes:    observers(),
		Expect:    base(check.RecoversWithin(f.Name, f.Certificate, lease), nobodyStays(f)),
		Sometimes: []check.Check{check.FailedOver(f.Name, f.Certificate, fixtures.SourcePatroni, fixtures.PostgresLeader), check.SawHitsAndMisses()},
		Short:     true,
	}
}
