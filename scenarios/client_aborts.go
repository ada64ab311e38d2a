package scenarios

import (
	"math/rand/v2"
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/claims"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/load"
)

// ClientAborts has clients leave while their question is being answered: all of them for the first 3 s, which is what it
// would take to open a breaker that counted them, then three in ten.
func ClientAborts() harness.Scenario {
	const (
		rate     = 60
		lasts    = 20 * time.Second
		walkOut  = 3 * rate // questions
		again    = 4 * time.Second
		beside   = 5 * rate                                      // the first question that others wait for, too
		from, to = 50 * time.Millisecond, 200 * time.Millisecond // after the call has begun, before it ends
	)
	all, some := load.Aborting(1, from, to, question), load.Aborting(0.3, from, to, question)
	leaving := func(k uint64, r *rand.Rand) load.Request {
		if k < walkOut {
			return all(k, r)
		}
		return some(k, r)
	}
	waiting := func(k uint64, r *rand.Rand) load.Request { return question(beside+k, r) }
	tenants := gateway.DefaultTenants()
	client := steady(tenants, again+lasts)
	client.Stages = []load.Stage{
		{Name: "hot", Shape: load.Constant(100, again+lasts), Request: mixed(tenants, 20, 0, "")},
		{Name: "leaving", Shape: load.Constant(rate, lasts), Request: leaving},
		{Name: "beside", Start: beside*time.Second/rate + 20*time.Millisecond, Shape: load.Constant(rate, lasts-beside*time.Second/rate), Request: waiting},
		{Name: "later", Start: again, Shape: load.Constant(rate, lasts), Request: question},
	}
	return harness.Scenario{
		Name:      "client-aborts",
		Claim:     "When all clients leave before they have their answer, for 3 s, and then three in ten, the calls made for them go on, and serve whoever waits beside them or asks later, the breaker stays closed and nothing leaks.",
		System:    gateway.Stack{},
		Load:      client,
		Expect:    base(claims.AnswersOutliveClients(), claims.ExactCalls(rate*uint64(lasts/time.Second)), check.StaysZero(gateway.MetricBreaker)),
		Sometimes: []check.Check{claims.SawHitsAndMisses()},
	}
}
