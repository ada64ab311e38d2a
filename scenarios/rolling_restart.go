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

// RollingRestart is a deployment: every replica in turn gets SIGTERM, and another build comes in its place. The next one's
// turn comes when the load balancer sees them all up.
func RollingRestart() harness.Scenario {
	const (
		version = "next"
		turn    = 8 * time.Second // an end takes a second, a start two
		ends    = time.Second     // after which a replica is replaced, once it has ended
	)
	replicas := []string{"gateway-1", "gateway-2", "gateway-3"}
	var plan fault.Plan
	expect := base(gateway.QuickHits(), check.EndsOnBuild(version, replicas...))
	for i, name := range replicas {
		plan = append(plan, fault.Step{At: faultAt + time.Duration(i)*turn, For: ends, Fault: gateway.Upgrade(name, version)})
		expect = append(expect, check.CleanExit(name), gateway.PromptExit(name), haproxy.ServesAgain(name))
	}
	return harness.Scenario{
		Name:      "rolling-restart",
		Claim:     "While every replica in turn is replaced by another build under 200 requests/s, no request is dropped or silently retried, every replica exits 0 in time, and all serve again, on the new build.",
		System:    gateway.Stack{},
		Load:      steadyAt(faster, gateway.DefaultTenants(), faultAt+time.Duration(len(replicas))*turn+tail/2),
		Faults:    plan,
		Expect:    expect,
		Sometimes: []check.Check{claims.InFlightAt(plan[0].Fault.Name, 0), claims.SawHitsAndMisses()},
	}
}
