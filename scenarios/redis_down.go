package scenarios

import (
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/claims"
	"github.com/sentinel-chaos/sentinel/fixtures/stores/redisha"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
)

// RedisDown takes every Redis away for 10 s and brings them back empty.
func RedisDown() harness.Scenario {
	const lasts = 10 * time.Second
	faults := redisha.Down(faultAt, lasts)
	f := faults[0].Fault
	var names []string
	for _, step := range faults {
		names = append(names, step.Fault.Name)
	}
	return harness.Scenario{
		Name:      "redis-down",
		Claim:     "With every Redis killed for 10 s and back empty, requests are answered throughout, and the LLM is still called once per key.",
		System:    gateway.Stack{},
		Load:      steady(gateway.DefaultTenants(), faultAt+lasts+shortTail),
		Faults:    faults,
		Expect:    base(gateway.QuickHits(), gateway.Cover(), gateway.EndsInTime(), gateway.BlamesRedis(names...), check.RecoversWithin(f.Name, recovery)),
		Sometimes: []check.Check{claims.SawHitsAndMisses()},
	}
}
