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

// PostgresFreeze pauses the primary for longer than the ttl and resumes it as a second primary, of the old timeline.
func PostgresFreeze() harness.Scenario {
	const lasts = 28 * time.Second
	f := fault.Pause(postgresha.Primary())
	return harness.Scenario{
		Name:   "postgres-freeze",
		Claim:  "While the Postgres primary is paused, and when it is resumed after another has taken its place, hits and misses are served, no acknowledged row is lost, and no two primaries share a timeline.",
		System: gateway.Stack{},
		Load:   steady(gateway.DefaultTenants(), faultAt+lasts+tail),
		Faults: during(f, faultAt, lasts),
		Expect: base(gateway.QuickHits(), check.NoSplitBrain(postgresha.SourcePatroni, postgresha.SawLeader, primaryStepsDown),
			check.RecoversWithin(f.Name, recovery)),
		Sometimes: []check.Check{check.FailedOver(f.Name, postgresha.SourcePatroni, postgresha.SawLeader), claims.SawHitsAndMisses()},
	}
}
