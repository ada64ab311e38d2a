package scenarios

import (
	"math/rand/v2"
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/load"
)

// ThunderingHerd lets 1,000 clients ask the same few cold questions at the same moment, over all replicas, and others
// come trickling in while the answers are being made and just after.
func ThunderingHerd() harness.Scenario {
	const (
		herd, stragglers = 1000, 400
		topics           = 5
	)
	tenants := []string{"acme", "globex"}
	keys := uint64(topics * len(tenants))
	ask := func(k uint64, _ *rand.Rand) load.Request {
		return fixtures.Query(tenants[k%2], prompt("breaking story", k%keys/2))
	}
	client := fixtures.Client(
		load.Stage{Name: "herd", Shape: load.Herd(herd, 500*time.Millisecond), Request: ask},
		load.Stage{Name: "stragglers", Start: 500 * time.Millisecond, Shape: load.Spread(stragglers, 2*time.Second), Request: ask},
	)
	// A first herd, of a tenant of its own, so that pools have the size that leaks are measured against. To the replicas
	// the two tenants of the second one are as new as their questions.
	client.Warmup = []load.Stage{{Name: "first herd", Shape: load.Herd(herd, 500*time.Millisecond),
		Request: func(k uint64, _ *rand.Rand) load.Request {
			return fixtures.Query("initech", prompt("older story", k%keys))
		}}}
	return harness.Scenario{
		Name:   "thundering-herd",
		Claim:  "1,000 requests at once for 10 cold keys, and 400 more over the next 2 s, cost exactly 10 LLM calls, and every answer is right.",
		System: fixtures.GatewayStack{Tenants: append(tenants, "initech"), LLMLatency: 300 * time.Millisecond},
		Load:   client,
		Probes: fixtures.Probes(),
		Expect: base(check.ExactCalls(keys)),
	}
}
