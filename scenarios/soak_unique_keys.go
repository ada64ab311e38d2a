package scenarios

import (
	"math/rand/v2"
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/claims"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/load"
	"github.com/sentinel-chaos/sentinel/harness/probe"
)

// SoakUniqueKeys asks new questions for 10 minutes, so that whatever the service keeps for each key, or each call, adds up. One
// request in twenty is a known question, to see that hits go on.
func SoakUniqueKeys() harness.Scenario {
	const (
		length    = 10 * time.Minute
		rate      = 100 // requests/s
		hot       = 20
		newShare  = 0.95
		slackHeap = 2 << 20 // bytes; 220 for each key that a replica sees from the second quarter to the last
		slackRSS  = 4 << 20 // bytes; the runtime gives memory back late
		slackGo   = 10      // goroutines
	)
	tenants := gateway.DefaultTenants()
	unique := func(k uint64, r *rand.Rand) load.Request {
		tenant := tenants[r.IntN(len(tenants))]
		if r.Float64() < newShare {
			return gateway.Query(tenant, about("new question", k))
		}
		return gateway.Query(tenant, about("hot topic", r.Uint64N(hot)))
	}
	client := steadyAt(rate, tenants, length)
	client.Stages = []load.Stage{{Name: "unique", Shape: load.Constant(rate, length), Request: unique}}
	return harness.Scenario{
		Name:   "soak-unique-keys",
		Claim:  "Over 10 minutes of 95 new keys per second, memory and goroutines of the service stay as they are, no key is called twice, and no row is lost or booked twice.",
		System: gateway.Stack{},
		Load:   client,
		Probes: []probe.Probe{probe.Accounts(gateway.Role)},
		Expect: base(gateway.FewSeries(), check.AccountsAgree(gateway.MetricConnections), check.FlatUse(0.1, check.Use{Metric: gateway.MetricHeap, Slack: slackHeap}, check.Use{Metric: gateway.MetricResident, Slack: slackRSS},
			check.Use{Metric: gateway.MetricGoroutines, Slack: slackGo})),
		Sometimes: []check.Check{claims.SawHitsAndMisses()},
		Soak:      true,
	}
}
