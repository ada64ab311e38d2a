package scenarios

import (
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
)

// PostgresSwitchover hands the lead to the synchronous standby, as maintenance does.
func PostgresSwitchover() harness.Scenario {
	const lasts = 10 * time.Second
	f := fixtures.PostgresSwitchover()
	return harness.Scenario{
		Name:      "postgres-switchover",
		Claim:     "While the Postgres primary hands its lead over, hits and misses are served throughout, the ledger is complete afterwards, and no connection stays on the old primary.",
		System:    fixtures.GatewayStack{},
		Load:      steady(fixtures.DefaultTenants(), faultAt+lasts+tail),
		Faults:    during(f, faultAt, lasts),
		Probes:    observers(),
		Expect:    base(check.RecoversWithin(f.Name, f.Certificate, lease), nobodyStays(f)),
		Sometimes: []check.Check{check.FailedOver(f.Name, f.Certificate, fixtures.SourcePatroni, fixtures.PostgresLeader), check.SawHitsAndMisses()},
	}
}
