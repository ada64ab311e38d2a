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

// GatewayOutOfMemory takes memory away from a replica under load until the kernel kills it. Nobody knows when that will be, unlike with
// ReplicaKill, and before it happens the replica is slow: its pages are taken back as fast as it asks for them.
func GatewayOutOfMemory() harness.Scenario {
	const (
		victim = "gateway-2"
		dies   = 2 * time.Second // or sooner: it took 0.1 s from the limit on, with version 1 of cgroups
		lasts  = 5 * time.Second
		rate   = 47 // questions/s, so that the victim is calling for some of them whenever it dies
	)
	f := fault.OutOfMemory(fault.Node(victim))
	client := steady(gateway.DefaultTenants(), faultAt+dies+lasts+shortTail)
	client.Stages = append(client.Stages, load.Stage{Name: "questions", Shape: load.Constant(rate, faultAt+dies+lasts), Request: question})
	return harness.Scenario{
		Name:      "gateway-out-of-memory",
		Claim:     "When the kernel kills a replica for want of memory, others answer its requests, at most its lease and 1 s later than is normal, every answer that it gave is booked, and it serves again.",
		System:    callsUnderWay(),
		Load:      client,
		Faults:    during(f, faultAt, lasts),
		Expect:    base(gateway.QuickHits(), check.WorstAddedLatency(f.Name, lease+time.Second), check.RecoversWithin(f.Name, lease), haproxy.ServesAgain(victim)),
		Sometimes: []check.Check{claims.InFlightAt(f.Name, 1), claims.SawHitsAndMisses()},
	}
}
