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

// RedisPacketLoss loses a fifth of the packets between the Redis master and the gateways, each way: some operations are answered,
// some late, and of some nobody knows whether they were done.
func RedisPacketLoss() harness.Scenario {
	const (
		lasts = 10 * time.Second
		share = 0.2
	)
	f := fault.PacketLoss(share, fault.Cut{Target: redisha.Master(), Peers: []string{gateway.Role}})
	return harness.Scenario{
		Name:   "redis-packet-loss",
		Claim:  "While a fifth of the packets between the Redis master and the gateways is lost, requests are answered, none later than is normal by more than three Redis budgets and 100 ms, none is refused, no key is called twice, and neither Postgres nor the LLM is blamed for it.",
		System: gateway.Stack{},
		Load:   steady(gateway.DefaultTenants(), faultAt+lasts+shortTail),
		Faults: during(f, faultAt, lasts),
		Expect: base(gateway.QuickHits(), check.WorstAddedLatency(f.Name, 3*redisBudget+slack),
			check.RecoversAfterHeal(f.Name, lease),
			check.StaysZero(gateway.MetricBreaker), check.StaysZero(gateway.MetricUnavailable(postgresha.Role))),
		Sometimes: []check.Check{claims.SawHitsAndMisses()},
	}
}
