package scenarios

import (
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
)

// PostgresPartition cuts the primary off from etcd and its standbys for longer than the ttl; the gateways still reach it.
func PostgresPartition() harness.Scenario {
	const lasts = 28 * time.Second
	f := fixtures.PostgresPartition()
	return harness.Scenario{
		Name:   "postgres-partition",
		Claim:  "While the Postgres primary is cut off from etcd and its standbys, and when it is back after another has taken its place, hits and misses are served, no acknowledged row is lost, no two primaries share a timeline, and no connection stays on the old one.",
		System: fixtures.GatewayStack{},
		Load:   steady(fixtures.DefaultTenants(), faultAt+lasts+tail),
		Faults: during(f, faultAt, lasts),
		Probes: append(observers(), fixtures.PostgresReach()),
		Expect: base(check.NoSplitBrain(fixtures.SourcePatroni, fixtures.PostgresLeader, seenAtOnce),
			check.RecoversWithin(f.Name, f.Certificate, lease), nobodyStays(f)),
		Sometimes: []check.Check{check.FailedOver(f.Name, f.Certificate, fixtures.SourcePatroni, fixtures.PostgresLeader), check.SawHitsAndMisses()},
	}
}
