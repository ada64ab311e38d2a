package scenarios

import (
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/claims"
	"github.com/sentinel-chaos/sentinel/fixtures/stores/postgresha"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
)

// PostgresSwitchover hands the lead to the synchronous standby, as maintenance does.
func PostgresSwitchover() harness.Scenario {
	const lasts = 10 * time.Second
	f := postgresha.Switchover()
	return harness.Scenario{
		Name:      "postgres-switchover",
		Claim:     "While the Postgres primary hands its lead over, hits and misses are served throughout, the ledger is complete afterwards, and no connection stays on the old primary.",
		System:    gateway.Stack{},
		Load:      steady(gateway.DefaultTenants(), faultAt+lasts+tail),
		Faults:    during(f, faultAt, lasts),
		Probes:    sessions(),
		Expect:    base(gateway.QuickHits(), check.RecoversWithin(f.Name, recovery), nobodyStays(f)),
		Sometimes: []check.Check{check.FailedOver(f.Name, postgresha.SourcePatroni, postgresha.SawLeader), claims.SawHitsAndMisses()},
	}
}
