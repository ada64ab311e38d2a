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

// PostgresSlow adds 50 to 200 ms to every operation of the Postgres primary. A miss commits twice, its claim and its answer, and
// each that takes too long is given up after the Postgres budget.
func PostgresSlow() harness.Scenario {
	const lasts = 10 * time.Second
	f := postgresha.PrimaryBrownOut()
	return harness.Scenario{
		Name:   "postgres-slow",
		Claim:  "While every operation of Postgres takes 50 to 200 ms longer, requests are answered, none later than is normal by more than two Postgres budgets and 100 ms, none is refused, no key is called twice, and neither Redis nor the LLM is blamed for it.",
		System: gateway.Stack{},
		Load:   steady(gateway.DefaultTenants(), faultAt+lasts+shortTail),
		Faults: during(f, faultAt, lasts),
		Expect: base(gateway.QuickHits(), check.WorstAddedLatency(f.Name, addedByPostgres),
			check.RecoversAfterHeal(f.Name, recovery),
			check.StaysZero(gateway.MetricBreaker), check.StaysZero(gateway.MetricUnavailable(redisha.Role))),
		Sometimes: []check.Check{claims.SawHitsAndMisses()},
	}
}
