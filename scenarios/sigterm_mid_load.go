package scenarios

import (
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/fault"
	"github.com/sentinel-chaos/sentinel/harness/load"
)

// warmFor spreads the warm-up so that it is no herd of its own.
const warmFor = time.Second

// SigtermMidLoad is what every deployment does to every replica, under load.
func SigtermMidLoad() harness.Scenario {
	const (
		victim    = "gateway-2"
		hot       = 20
		coldShare = 0.3
	)
	tenants := fixtures.DefaultTenants()
	term := fault.Term(victim)
	client := fixtures.Client(load.Stage{Name: "steady", Shape: load.Constant(200, 20*time.Second), Request: mixed(tenants, hot, coldShare)})
	client.Warmup = []load.Stage{warm(tenants, hot)}
	return harness.Scenario{
		Name:      "sigterm-mid-load",
		Claim:     "A replica that gets SIGTERM under 200 requests/s finishes what it has begun and exits 0 in time; no request is dropped or silently retried.",
		System:    fixtures.GatewayStack{Tenants: tenants},
		Load:      client,
		Faults:    fault.Plan{{At: 8 * time.Second, For: 5 * time.Second, Fault: term}},
		Probes:    fixtures.Probes(),
		Expect:    base(check.CleanExit(victim), check.ServesAgain(victim)),
		Sometimes: []check.Check{check.InFlightAt(term.Name), check.SawHitsAndMisses()},
	}
}
