package scenarios

import (
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/claims"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/record"
	"github.com/sentinel-chaos/sentinel/fixtures/stores/postgresha"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/fault"
)

// PostgresNodeKill kills the primary with its Patroni for longer than the ttl, so that writes stop for some 20 s and the node
// comes back empty as a standby.
func PostgresNodeKill() harness.Scenario {
	const (
		at    = 2 * faultAt // a p99 of hits needs a thousand of them to be compared with
		lasts = 30 * time.Second
	)
	f := fault.Kill(postgresha.Primary())
	return harness.Scenario{
		Name:      "postgres-node-kill",
		Claim:     "While the Postgres primary's node is dead and nobody else may lead yet, hits and misses are served, hits no slower than 1.5 times as before, the ledger is complete afterwards, and no connection stays on the old primary.",
		System:    gateway.Stack{},
		Load:      steady(gateway.DefaultTenants(), at+lasts+tail),
		Faults:    during(f, at, lasts),
		Probes:    sessions(),
		Expect:    base(gateway.QuickHits(), gateway.Cover(), gateway.EndsInTime(), gateway.BlamesPostgres(f.Name), gateway.WaitingRowsTold(f.Name), check.LatencyDuring(f.Name, record.Hit, 1.5), check.RecoversWithin(f.Name, recovery), nobodyStays(f)),
		Sometimes: []check.Check{check.FailedOver(f.Name, postgresha.SourcePatroni, postgresha.SawLeader), claims.SawHitsAndMisses()},
	}
}
