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
	"github.com/sentinel-chaos/sentinel/harness/load"
)

// GatewayFreeze pauses a replica for longer than its lease, while others take over what it was doing, and resumes it.
func GatewayFreeze() harness.Scenario {
	lasts := lease + 3*time.Second
	const (
		victim = "gateway-2"
		rate   = 47 // per second; with one that divides the pace the load balancer would give a round to the same replica for ever
	)
	f := fault.Pause(fault.Node(victim))
	client := steady(gateway.DefaultTenants(), faultAt+lasts+tail)
	// Each question comes three times: so what the victim was asked last is asked again when its lease is over and it still
	// stands, and once more when it was resumed.
	for i, start := range []time.Duration{0, lease + 3*time.Second/2, lasts + 4*time.Second} {
		client.Stages = append(client.Stages, load.Stage{Name: fmt.Sprintf("round %d", i+1), Start: start,
			Shape: load.Constant(rate, faultAt+lasts), Request: question})
	}
	return harness.Scenario{
		Name:      "gateway-freeze",
		Claim:     "A replica that stands still for longer than its lease costs at most one further call per key, and overwrites no newer answer when it goes on.",
		System:    callsUnderWay(),
		Load:      client,
		Faults:    during(f, faultAt, lasts),
		Expect:    base(gateway.QuickHits(), gateway.Cover(), gateway.EndsInTime(), check.RecoversWithin(f.Name, recovery), claims.NewestAnswer(), haproxy.ServesAgain(victim)),
		Sometimes: []check.Check{claims.InFlightAt(f.Name, 1), claims.SawHitsAndMisses()},
	}
}
