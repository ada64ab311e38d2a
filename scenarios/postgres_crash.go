package scenarios

import (
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/claims"
	"github.com/sentinel-chaos/sentinel/fixtures/stores/postgresha"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
)

// PostgresCrash kills the postmaster inside the primary's node; its Patroni hands over the lead.
func PostgresCrash() harness.Scenario {
	const lasts = 10 * time.Second
	f := postgresha.PrimaryCrash()
	return harness.Scenario{
		Name:      "postgres-crash",
		Claim:     "When the Postgres server of the primary crashes and a standby takes over, hits and misses are served throughout, the ledger is complete afterwards, and no connection stays on the old primary.",
		System:    gateway.Stack{},
		Load:      steady(gateway.DefaultTenants(), faultAt+lasts+tail),
		Faults:    during(f, faultAt, lasts),
		Probes:    sessions(),
		Expect:    base(gateway.QuickHits(), gateway.Cover(), gateway.EndsInTime(), gateway.RowsMoveOn(), check.RecoversWithin(f.Name, recovery), nobodyStays(f)),
		Sometimes: []check.Check{check.FailedOver(f.Name, postgresha.SourcePatroni, postgresha.SawLeader), claims.SawHitsAndMisses()},
		Short:     true,
	}
}
