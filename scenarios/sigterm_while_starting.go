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

// SigtermWhileStarting is a deployment that is called off and goes on: a replica gets SIGTERM when it has just been started.
//
// Until a replica is ready, it opens ten connections to PostgreSQL, with a pause of 100 ms before all but the first. So it is still
// starting 0.4 s after its process runs.
func SigtermWhileStarting() harness.Scenario {
	const (
		unready  = "gateway-2"
		at       = 5 * time.Second
		ends     = 2 * time.Second // an end takes a second
		started  = 400 * time.Millisecond
		servesBy = 16 * time.Second // again
		backFor  = 8 * time.Second
	)
	term := fault.Term(fault.Node(unready))
	starting := fault.TermStarting(fault.Node(unready), started)
	return harness.Scenario{
		Name:      "sigterm-while-starting",
		Claim:     "A replica that gets SIGTERM while it starts exits 0 in time and serves again when it is started once more; under 200 requests/s none is dropped or silently retried.",
		System:    gateway.Stack{},
		Load:      steadyAt(faster, gateway.DefaultTenants(), servesBy+backFor),
		Faults:    fault.Plan{{At: at, For: ends, Fault: term}, {At: at + ends/2, For: ends, Fault: starting}},
		Expect:    base(check.CleanExit(unready), haproxy.ServesAgain(unready)),
		Sometimes: []check.Check{claims.InFlightAt(term.Name, 0), claims.SawHitsAndMisses()},
	}
}
