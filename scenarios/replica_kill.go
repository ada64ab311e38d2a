package scenarios

import (
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/fault"
)

// ReplicaKill kills a replica with calls in flight. What it held ends with the lease.
func ReplicaKill() harness.Scenario {
	const (
		victim = "gateway-2"
		lasts  = 5 * time.Second
	)
	f := fault.Kill(victim)
	return harness.Scenario{
		Name:      "replica-kill",
		Claim:     "When a replica is killed with calls in flight, others answer its requests, at most its lease and 1 s later than is normal, and it serves again.",
		System:    fixtures.GatewayStack{},
		Load:      steady(fixtures.DefaultTenants(), faultAt+lasts+shortTail),
		Faults:    during(f, faultAt, lasts),
		Probes:    observers(),
		Expect:    base(check.WorstAddedLatency(f.Name, f.Certificate, lease+time.Second), check.RecoversWithin(f.Name, f.Certificate, lease), check.ServesAgain(victim)),
		Sometimes: []check.Check{check.InFlightAt(f.Name), check.SawHitsAndMisses()},
		Short:     true,
	}
}
