package scenarios

import (
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/claims"
	"github.com/sentinel-chaos/sentinel/fixtures/haproxy"
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
	f := fault.Kill(fault.Node(victim))
	client := steady(gateway.DefaultTenants(), faultAt+lasts+shortTail)
	client.Stages = append(client.Stages, load.Stage{Name: "questions", Shape: load.Constant(rate, faultAt+lasts), Request: question})
	return harness.Scenario{
		Name:      "replica-kill",
		Claim:     "When a replica is killed with calls in flight, others answer its requests, at most its lease and 1 s later than is normal, and it serves again.",
		System:    callsUnderWay(),
		Load:      client,
		Faults:    during(f, faultAt, lasts),
		Expect:    base(gateway.QuickHits(), check.WorstAddedLatency(f.Name, addedByDeath), check.RecoversWithin(f.Name, recovery), haproxy.ServesAgain(victim)),
		Sometimes: []check.Check{claims.InFlightAt(f.Name, 1), claims.SawHitsAndMisses()},
		Short:     true,
	}
}
