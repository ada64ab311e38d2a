package scenarios

import (
	"fmt"
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/claims"
	"github.com/sentinel-chaos/sentinel/fixtures/haproxy"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/fault"
)

// SoakSigterm replaces one replica after another, as a deployment does, 300 times, under load.
func SoakSigterm() harness.Scenario {
	const (
		signals = 300
		every   = 4 * time.Second // a replica takes 1 to 2 s to drain and end, and about 1 s to be ready again
		rate    = 100             // requests/s; evidence and ledgers of the whole soak are held in memory
	)
	replicas := []string{"gateway-1", "gateway-2", "gateway-3"}
	var plan fault.Plan
	for i := range signals {
		f := fault.Term(fault.Node(replicas[i%len(replicas)]))
		f.Name = fmt.Sprintf("%s, the %d. of %d", f.Name, i+1, signals)
		plan = append(plan, fault.Step{At: faultAt + time.Duration(i)*every, For: time.Second, Fault: f})
	}
	var exits []check.Check
	for _, r := range replicas {
		exits = append(exits, check.CleanExit(r), haproxy.ServesAgain(r))
	}
	return harness.Scenario{
		Name:      "soak-sigterm",
		Claim:     "300 times a replica gets SIGTERM under 100 requests/s, finishes what it has begun and exits 0 in time; no request is dropped or silently retried, no key called twice, and no row lost or booked twice.",
		System:    gateway.Stack{},
		Load:      steadyAt(rate, gateway.DefaultTenants(), faultAt+signals*every+tail),
		Faults:    plan,
		Expect:    base(exits...),
		Sometimes: []check.Check{claims.SawHitsAndMisses()},
		Soak:      true,
	}
}
