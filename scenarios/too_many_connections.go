package scenarios

import (
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/claims"
	"github.com/sentinel-chaos/sentinel/fixtures/stores/postgresha"
	"github.com/sentinel-chaos/sentinel/fixtures/stores/redisha"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
)

// TooManyConnections takes all connections to Postgres from the gateways, and has it refuse them new ones. A miss asks it twice, for
// its claim and for its answer's place, and gives each up after the Postgres budget, until Postgres is unavailable.
func TooManyConnections() harness.Scenario {
	const lasts = 10 * time.Second
	f := postgresha.TooManyConnections()
	return harness.Scenario{
		Name:   "too-many-connections",
		Claim:  "While Postgres has no connection for the gateways, requests are answered, none later than is normal by more than two Postgres budgets and 100 ms, none is refused, no key is called twice, no row is lost, and neither Redis nor the LLM is blamed for it.",
		System: gateway.Stack{},
		Load:   steady(gateway.DefaultTenants(), faultAt+lasts+shortTail),
		Faults: during(f, faultAt, lasts),
		Expect: base(gateway.QuickHits(), gateway.Cover(), gateway.EndsInTime(), check.WorstAddedLatency(f.Name, addedByPostgres), check.RecoversWithin(f.Name, recovery),
			check.StaysZero(gateway.MetricBreaker), check.StaysZero(gateway.MetricUnavailable(redisha.Role))),
		Sometimes: []check.Check{check.SawRises(gateway.MetricUnavailable(postgresha.Role), 1), claims.SawHitsAndMisses()},
	}
}
