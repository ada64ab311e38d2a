// Package scenarios is the catalogue: one file per scenario, each a claim about the gateway that a run can refute.
package scenarios

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/load"
)

// All returns the catalogue in the order in which it runs.
func All() []harness.Scenario {
	return []harness.Scenario{
		ThunderingHerd(),
		SigtermMidLoad(),
	}
}

// base is what every scenario claims.
func base(more ...check.Check) []check.Check {
	return append([]check.Check{
		check.NothingDropped(),
		check.OncePerKey(),
		check.RightAnswer(),
		check.NoHiddenRetries(),
		check.GaugesReturnToZero(fixtures.InFlightGauges()...),
		check.LedgerComplete(),
	}, more...)
}

// prompt is the n-th prompt about a subject. Every tenant asks the same ones, so that an answer given to the wrong
// tenant cannot go unnoticed.
func prompt(subject string, n uint64) string {
	return fmt.Sprintf("Summarise %s number %d in one sentence.", subject, n)
}

// mixed asks hot prompts, which a warm-up has cached, and cold ones about the subject, each for the first time.
func mixed(tenants []string, hot uint64, coldShare float64, cold string) func(uint64, *rand.Rand) load.Request {
	return func(k uint64, r *rand.Rand) load.Request {
		tenant := tenants[r.IntN(len(tenants))]
		if r.Float64() < coldShare {
			return fixtures.Query(tenant, prompt(cold, k))
		}
		return fixtures.Query(tenant, prompt("hot topic", r.Uint64N(hot)))
	}
}

// fill asks every hot prompt of every tenant once.
func fill(tenants []string, hot uint64) load.Stage {
	n := hot * uint64(len(tenants))
	return load.Stage{
		Name:  "fill",
		Shape: load.Spread(n, fillFor),
		Request: func(k uint64, _ *rand.Rand) load.Request {
			return fixtures.Query(tenants[k%uint64(len(tenants))], prompt("hot topic", k/uint64(len(tenants))))
		},
	}
}

// fillFor spreads the filling of the cache, so that it is no herd of its own.
const fillFor = time.Second
