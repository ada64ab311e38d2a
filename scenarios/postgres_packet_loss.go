package scenarios

import (
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/claims"
	"github.com/sentinel-chaos/sentinel/fixtures/stores/postgresha"
	"github.com/sentinel-chaos/sentinel/fixtures/stores/redisha"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/fault"
)

// PostgresPacketLoss loses a fifth of the packets between the Postgres primary and its standbys, each way: every commit waits for
// what is sent again.
func PostgresPacketLoss() harness.Scenario {
	const (
		lasts = 10 * time.Second
		share = 0.2
	)
	f := fault.PacketLoss(share, fault.Cut{Target: postgresha.Primary(), Peers: []string{postgresha.Role}})
	return harness.Scenario{
		Name:   "postgres-packet-loss",
		Claim:  "While a fifth of the packets between the Postgres primary and its standbys is lost, requests are answered, none later than is normal by more than two Postgres budgets and 100 ms, none is refused, no key is called twice, and neither Redis nor the LLM is blamed for it.",
		System: gateway.Stack{},
		Load:   steady(gateway.DefaultTenants(), faultAt+lasts+shortTail),
		Faults: during(f, faultAt, lasts),
		Expect: base(gateway.QuickHits(), check.WorstAddedLatency(f.Name, addedByPostgres),
			check.RecoversAfterHeal(f.Name, recovery),
			check.StaysZero(gateway.MetricBreaker), check.StaysZero(gateway.MetricUnavailable(redisha.Role))),
		Sometimes: []check.Check{claims.SawHitsAndMisses()},
	}
}
