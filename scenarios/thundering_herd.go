package scenarios

import (
	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/claims"
	"github.com/sentinel-chaos/sentinel/harness"
)

// ThunderingHerd lets 1,000 clients ask the same few cold questions at the same moment, over all replicas, and others
// come trickling in while the answers are being made and just after. To the replicas, its tenants are as new as their
// questions.
func ThunderingHerd() harness.Scenario {
	client, keys := herd(0, [2]string{"acme", "globex"}, "initech")
	return harness.Scenario{
		Name:   "thundering-herd",
		Claim:  "1,000 requests at once for 10 cold keys, and 400 more over the next 2 s, cost exactly 10 LLM calls, and every answer is right.",
		System: gateway.Stack{},
		Load:   client,
		Expect: base(claims.ExactCalls(keys)),
		Short:  true,
	}
}
