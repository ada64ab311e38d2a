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

// SigtermWhileStarting is a deployment that is called off and goes on: a replica gets SIGTERM when it has just been started, and
// another gets it twice.
//
// Until a replica is ready, it opens ten connections to PostgreSQL, with a pause of 100 ms before all but the first. So it is still
// starting 0.4 s after it was seen to run. A drain takes 500 ms, so that a second SIGTERM 200 ms after the first finds the replica
// draining. Each has the grace period of 10 s from its first SIGTERM on.
func SigtermWhileStarting() harness.Scenario {
	const (
		unready, twice = "gateway-2", "gateway-3"
		at             = 5 * time.Second
		ends           = 2 * time.Second // an end takes a second
		started        = 400 * time.Millisecond
		apart          = 200 * time.Millisecond
		twiceAt        = 16 * time.Second // the other one serves again by then
		backFor        = 8 * time.Second
	)
	term := fault.Term(fault.Node(unready))
	starting := fault.TermStarting(fault.Node(unready), started)
	again := fault.TermTwice(fault.Node(twice), apart)
	return harness.Scenario{
		Name:   "sigterm-while-starting",
		Claim:  "A replica that gets SIGTERM while it starts, and one that gets it twice, exit 0 in time and serve again when they are started once more; under 200 requests/s none is dropped or silently retried.",
		System: gateway.Stack{},
		Load:   steadyAt(faster, gateway.DefaultTenants(), twiceAt+ends+backFor),
		Faults: fault.Plan{{At: at, For: ends, Fault: term}, {At: at + ends/2, For: ends, Fault: starting},
			{At: twiceAt, For: ends, Fault: again}},
		Expect: base(check.CleanExit(unready), check.CleanExit(twice), haproxy.ServesAgain(unready), haproxy.ServesAgain(twice)),
		Sometimes: []check.Check{claims.InFlightAt(term.Name, 0), claims.InFlightAt(again.Name, 0),
			claims.SawHitsAndMisses()},
	}
}
