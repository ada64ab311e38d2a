package scenarios

import (
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/fault"
)

// ReplicaKillWithoutRedis kills a replica while every Redis is away: nothing that it told anybody may have been in its memory alone.
func ReplicaKillWithoutRedis() harness.Scenario {
	const (
		victim = "gateway-2"
		lasts  = 8 * time.Second
		killAt = faultAt + 3*time.Second // everybody has long found Redis silent
		gone   = 4 * time.Second
	)
	kill := fault.Kill(victim)
	return harness.Scenario{
		Name:      "replica-kill-without-redis",
		Claim:     "With every Redis away a replica is killed under 200 requests/s: every answer that it gave is booked, others answer its requests, and it serves again.",
		System:    fixtures.GatewayStack{},
		Load:      steadyAt(faster, fixtures.DefaultTenants(), faultAt+lasts+shortTail),
		Faults:    append(fixtures.RedisDown(faultAt, lasts), during(kill, killAt, gone)...),
		Probes:    observers(),
		Expect:    base(check.RecoversWithin(kill.Name, kill.Certificate, lease), check.ServesAgain(victim)),
		Sometimes: []check.Check{check.SawHitsAndMisses()},
	}
}
