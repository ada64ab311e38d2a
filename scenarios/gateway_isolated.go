package scenarios

import (
	"fmt"
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/claims"
	"github.com/sentinel-chaos/sentinel/fixtures/haproxy"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/load"
)

// GatewayIsolated cuts a replica off from both stores, while it still reaches the LLM. Its way to Postgres is the balancer's
// node, so that the balancer loses it too and ejects it.
func GatewayIsolated() harness.Scenario {
	// Longer than the lease, and so short that what the balancer last sent to the victim is sent again by the kernel, about
	// 6.2 s later (its waits double from 0.2 s), before the balancer's 11 s are over.
	lasts := lease + 300*time.Millisecond
	const (
		victim = "gateway-2"
		rate   = 47 // per second; with one that divides the pace the load balancer would give a round to the same replica for ever
	)
	f := gateway.Isolated(victim)
	client := steady(gateway.DefaultTenants(), faultAt+lasts+tail)
	// Each question comes three times: so what the victim was asked last is asked again when its lease is over and it is still
	// cut off, and once more when it is healed.
	for i, start := range []time.Duration{0, lease + 300*time.Millisecond, lasts + 4*time.Second} {
		client.Stages = append(client.Stages, load.Stage{Name: fmt.Sprintf("round %d", i+1), Start: start,
			Shape: load.Constant(rate, faultAt+lasts), Request: question})
	}
	return harness.Scenario{
		Name:      "gateway-isolated",
		Claim:     "A replica that is cut off from both stores for longer than its lease, and still reaches the LLM, costs at most one further call per key; the others answer, and it overwrites no newer answer when it is back.",
		System:    callsUnderWay(),
		Load:      client,
		Faults:    during(f, faultAt, lasts),
		Expect:    base(gateway.QuickHits(), check.RecoversWithin(f.Name, recovery), claims.NewestAnswer(), haproxy.ServesAgain(victim)),
		Sometimes: []check.Check{claims.InFlightAt(f.Name, 1), claims.SawHitsAndMisses()},
	}
}
