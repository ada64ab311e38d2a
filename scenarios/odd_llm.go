package scenarios

import (
	"fmt"
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/claims"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/record"
	"github.com/sentinel-chaos/sentinel/fixtures/upstream"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/fault"
	"github.com/sentinel-chaos/sentinel/harness/load"
)

// OddLLM has the LLM answer in every way that is well-formed and odd, and then ask for every kind of rest. What can be an answer is one,
// and is there for whoever asks again; what cannot is refused to whoever asked for it, and to nobody else.
func OddLLM() harness.Scenario {
	const (
		at      = faultAt / 2
		odd     = 12 * time.Second        // some 600 calls: each of 25 ways is drawn two dozen times
		again   = 6 * time.Second         // later each question comes again: some answers are given while others are still odd
		busy    = 2 * time.Second         // whoever rests once, or for longest, finds the LLM well
		longest = 3 * time.Second         // rests of an hour and more end then
		inTime  = 1500 * time.Millisecond // most calls have ended by then: one that came before a heal may end in a rest after it
		over    = inTime + longest
		between = over + 2*time.Second
		share   = 0.7 // of 25 ways, 13 bring no answer
	)
	f := upstream.Odd()
	plan := fault.Plan{
		{At: at, For: odd, Fault: f},
		{At: at + odd + between, For: busy, Fault: upstream.RestsUntil(busy)},
		{At: at + odd + between + busy + between, For: busy, Fault: upstream.OddRests()},
	}
	length := plan[2].At + busy + between
	client := steady(gateway.DefaultTenants(), length)
	for i, start := range []time.Duration{0, again} {
		client.Stages = append(client.Stages, load.Stage{Name: fmt.Sprintf("round %d", i+1), Start: start, Shape: load.Constant(20, length-start), Request: question})
	}
	// Misses alone, from the first that may meet a fault to the last.
	misses := func(step fault.Step, after time.Duration, share float64) evidence.Allowance {
		return evidence.Allowance{From: step.At - time.Second/2, To: step.At + step.For + after, Share: share, Classes: []string{record.Miss}}
	}
	client.Allow = []evidence.Allowance{misses(plan[0], time.Second, share), misses(plan[1], over, 1), misses(plan[2], over, 1)}
	return harness.Scenario{
		Name:   "odd-llm",
		Claim:  "While the LLM sends empty texts, odd characters, names and usages, redirects, and half answers without a length, each answer that can be one is given, stored and booked, and no other; nobody is refused for another's question. Retry-After is kept in each of its forms, for 3 s at most.",
		System: gateway.Stack{Env: map[string]string{"SENTINEL_LLM_MAX_REST": longest.String(), "SENTINEL_CACHE_TTL": "2m"}}, // no hit dies
		Load:   ofOneModel(client),
		Faults: plan,
		Expect: base(gateway.QuickHits(), gateway.Cover(), gateway.EndsInTime(), claims.RefusedForOwnCall(longest), claims.RetryAfterHonoured(longest),
			check.WorstAddedLatency(f.Name, addedByLLM), check.StaysZero(gateway.MetricSetAside),
			check.RetryAfterHonest(claims.Insight())),
		Sometimes: []check.Check{claims.SawHitsAndMisses(), claims.SawOddAnswers(), check.SawRefusals(1)},
	}
}
