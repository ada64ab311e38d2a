package scenarios

import (
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/claims"
	"github.com/sentinel-chaos/sentinel/fixtures/haproxy"
	"github.com/sentinel-chaos/sentinel/fixtures/stores/redisha"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/fault"
)

// ReplicaKillWithoutRedis kills a replica while every Redis is away: nothing that it told anybody may have been in its memory alone.
func ReplicaKillWithoutRedis() harness.Scenario {
	const (
		victim = "gateway-2"
		lasts  = 8 * time.Second
		killAt = faultAt + 3*time.Second // everybody has long found Redis unavailable
		gone   = 4 * time.Second
	)
	kill := fault.Kill(fault.Node(victim))
	return harness.Scenario{
		Name:      "replica-kill-without-redis",
		Claim:     "With every Redis away a replica is killed under 100 requests/s: every answer that it gave is booked, others answer its requests, and it serves again.",
		System:    gateway.Stack{},
		Load:      steady(gateway.DefaultTenants(), faultAt+lasts+shortTail),
		Faults:    append(redisha.Down(faultAt, lasts), during(kill, killAt, gone)...),
		Expect:    base(check.RecoversWithin(kill.Name, recovery), haproxy.ServesAgain(victim)),
		Sometimes: []check.Check{claims.SawHitsAndMisses()},
	}
}
