package scenarios

import (
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
)

// PostgresFreeze freezes the primary for longer than the ttl and thaws it as a second primary, of the old timeline.
func PostgresFreeze() harness.Scenario {
	const lasts = 28 * time.Second
	f := fixtures.PostgresPrimaryFreeze()
	return harness.Scenario{
		Name:   "postgres-freeze",
		Claim:  "While the Postgres primary is frozen, and when it is thawed after another has taken its place, hits and misses are served, no acknowledged row is lost, and no two primaries share a timeline.",
		System: fixtures.GatewayStack{},
		Load:   steady(fixtures.DefaultTenants(), faultAt+lasts+tail),
		Faults: during(f, faultAt, lasts),
		Probes: observers(),
		Expect: base(check.NoSplitBrain(fixtures.SourcePatroni, fixtures.PostgresLeader, primaryStepsDown),
			check.RecoversWithin(f.Name, f.Certificate, lease)),
		Sometimes: []check.Check{check.FailedOver(f.Name, f.Certificate, fixtures.SourcePatroni, fixtures.PostgresLeader), check.SawHitsAndMisses()},
	}
}
