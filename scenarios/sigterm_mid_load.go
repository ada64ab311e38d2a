package scenarios

import (
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/fault"
	"github.com/sentinel-chaos/sentinel/harness/load"
)

// SigtermMidLoad is what every deployment does to every replica, under load.
func SigtermMidLoad() harness.Scenario {
	const (
		victim    = "gateway-2"
		hot       = 20
		coldShare = 0.3
	)
	tenants := fixtures.DefaultTenants()
	term := fault.Term(victim)
	steady := func(name, cold string, length time.Duration) load.Stage {
		return load.Stage{Name: name, Shape: load.Constant(200, length), Request: mixed(tenants, hot, coldShare, cold)}
	}
	client := fixtures.Client(steady("steady", "cold case", 20*time.Second))
	// The warm-up ends with the load itself, so that pools have the size that leaks are measured against.
	rehearsal := steady("rehearsal", "rehearsal", 3*time.Second)
	rehearsal.Start = fillFor + time.Second
	client.Warmup = []load.Stage{fill(tenants, hot), rehearsal}
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
