package scenarios

import (
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/fault"
	"github.com/sentinel-chaos/sentinel/harness/load"
)

// ReplicaKill kills a replica with calls in flight. What it held ends with the lease.
func ReplicaKill() harness.Scenario {
	const (
		victim = "gateway-2"
		lasts  = 5 * time.Second
		rate   = 47 // questions/s, so that the victim is calling for some of them whenever it dies
	)
	f := fault.Kill(victim)
	client := steady(fixtures.DefaultTenants(), faultAt+lasts+shortTail)
	client.Stages = append(client.Stages, load.Stage{Name: "questions", Shape: load.Constant(rate, faultAt+lasts), Request: question})
	return harness.Scenario{
		Name:      "replica-kill",
		Claim:     "When a replica is killed with calls in flight, others answer its requests, at most its lease and 1 s later than is normal, and it serves again.",
		System:    callsUnderWay(),
		Load:      client,
		Faults:    during(f, faultAt, lasts),
		Probes:    observers(),
		Expect:    base(check.WorstAddedLatency(f.Name, f.Certificate, lease+time.Second), check.RecoversWithin(f.Name, f.Certificate, lease), check.ServesAgain(victim)),
		Sometimes: []check.Check{check.InFlightAt(f.Name, 1), check.SawHitsAndMisses()},
		Short:     true,
	}
}
