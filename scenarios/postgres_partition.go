package scenarios

import (
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/claims"
	"github.com/sentinel-chaos/sentinel/fixtures/stores/postgresha"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
)

// PostgresPartition cuts the primary off from etcd and its standbys for longer than the ttl; the gateways still reach it.
func PostgresPartition() harness.Scenario {
	const lasts = 28 * time.Second
	f := postgresha.PrimaryPartition()
	return harness.Scenario{
		Name:   "postgres-partition",
		Claim:  "While the Postgres primary is cut off from etcd and its standbys, and when it is back after another has taken its place, hits and misses are served, no acknowledged row is lost, no two primaries share a timeline, and no connection stays on the old one.",
		System: gateway.Stack{},
		Load:   steady(gateway.DefaultTenants(), faultAt+lasts+tail),
		Faults: during(f, faultAt, lasts),
		Probes: sessions(),
		Expect: base(gateway.QuickHits(), gateway.Cover(), gateway.EndsInTime(), check.NoSplitBrain(postgresha.SourcePatroni, postgresha.SawLeader, seenAtOnce),
			check.RecoversWithin(f.Name, recovery), nobodyStays(f)),
		Sometimes: []check.Check{check.FailedOver(f.Name, postgresha.SourcePatroni, postgresha.SawLeader), claims.SawHitsAndMisses()},
	}
}
