package scenarios

import (
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/claims"
	"github.com/sentinel-chaos/sentinel/fixtures/haproxy"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/fault"
)

// SigtermMidLoad is what every deployment does to every replica, under load.
func SigtermMidLoad() harness.Scenario {
	const victim = "gateway-2"
	term := fault.Term(fault.Node(victim))
	return harness.Scenario{
		Name:      "sigterm-mid-load",
		Claim:     "A replica that gets SIGTERM under 200 requests/s finishes what it has begun and exits 0 in time; no request is dropped or silently retried.",
		System:    gateway.Stack{},
		Load:      steadyAt(faster, gateway.DefaultTenants(), 20*time.Second),
		Faults:    during(term, faultAt, 5*time.Second),
		Expect:    base(gateway.QuickHits(), check.CleanExit(victim), gateway.PromptExit(victim), haproxy.ServesAgain(victim)),
		Sometimes: []check.Check{claims.InFlightAt(term.Name, 0), claims.SawHitsAndMisses()},
		Short:     true,
	}
}
