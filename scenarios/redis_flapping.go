package scenarios

import (
	"fmt"
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/claims"
	"github.com/sentinel-chaos/sentinel/fixtures/stores/redisha"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/fault"
)

// RedisFlapping pauses the Redis master again and again, each time for about as long as Redis Sentinel takes to make another one the
// master: now and then it does, and the next pause hits that one.
//
// A request takes some 0.4 s, its LLM call of 0.3 s included, and the pauses begin 2.5 s apart. So a request meets one of them, and
// waits for one Redis budget: then Redis is unavailable, and PostgreSQL answers, until a probe of Redis is answered.
func RedisFlapping() harness.Scenario {
	const (
		at       = 5 * time.Second
		down, up = time.Second, 3 * time.Second / 2
		times    = 5
		felt     = 2 // of these on one replica: a failover may keep Redis away from one pause to the next
		tail     = 8 * time.Second
	)
	var plan fault.Plan
	for i := range times {
		f := fault.Pause(redisha.NamedMaster())
		f.Name = fmt.Sprintf("%s, the %d. of %d", f.Name, i+1, times)
		plan = append(plan, fault.Step{At: at + time.Duration(i)*(down+up), For: down, Fault: f})
	}
	first, last := plan[0], plan[times-1]
	return harness.Scenario{
		Name:      "redis-flapping",
		Claim:     "While the Redis master is paused five times for 1 s, 1.5 s apart, no request is dropped, no key is called twice, and no request takes longer than is normal by more than the budgets of Redis and Postgres and 100 ms.",
		System:    gateway.Stack{},
		Load:      steady(gateway.DefaultTenants(), last.At+down+tail),
		Faults:    plan,
		Expect:    base(check.WorstAddedLatency(first.Fault.Name, addedByRedis), check.RecoversWithin(last.Fault.Name, recovery)),
		Sometimes: []check.Check{check.SawRises(gateway.MetricUnavailable(redisha.Role), felt), claims.SawHitsAndMisses()},
	}
}
