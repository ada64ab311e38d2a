package scenarios

import (
	"strconv"
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/claims"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/record"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// RateLimitBurst lets one key flood through all replicas, at six times its limit, while two others, and another one of the same tenant,
// stay below theirs. The flood asks what nobody asked before: what a limit lets through is a call then, and its moment is in the LLM's ledger. A
// short one before, which fits into the burst, gives pools the size that leaks are measured against. When the flood has paused for less time
// than its bucket takes to fill, it comes again: for half of it a bucket that was forgotten would let a whole burst through.
func RateLimitBurst() harness.Scenario {
	const (
		limit, burst  = 20, 40        // requests/s, and requests
		others, flood = 24, 6 * limit // requests/s, of two tenants together and of the third
		from, lasts   = 5 * time.Second, 10 * time.Second
		pause         = time.Second * burst / limit * 3 / 4 // of the time in which a bucket fills
		again         = from + lasts + pause
		short         = 500 * time.Millisecond
		second        = 8   // requests/s, by the second key of the third
		refusable     = 0.8 // of the misses due meanwhile: the floods' 1,260 less the 280 that are let through, and some 190 others
		whole         = from + lasts + 5*time.Second
	)
	client := steadyAt(others, []string{"globex", "initech"}, whole)
	client.Stages = append(client.Stages, floods("flood", flood, from, lasts), floods("flood again", flood, again, short),
		bySecondKey(floods("second key", second, 0, whole)))
	client.Warmup = append(client.Warmup, floods("first flood", flood, 3*time.Second, 300*time.Millisecond))
	client.Allow = []evidence.Allowance{{From: from, To: again + short + time.Second, Share: refusable, Classes: []string{record.Miss}}}
	return harness.Scenario{
		Name:      "rate-limit-burst",
		Claim:     "Of a key that floods through all replicas, its burst and its rate are let through, within 1 %, nobody else is refused anything, not even who comes with another key of the same tenant, which is billed apart, and Retry-After holds.",
		System:    gateway.Stack{TwoKeys: []string{"acme"}, Env: map[string]string{"SENTINEL_RATE_KEY": strconv.Itoa(limit), "SENTINEL_RATE_KEY_BURST": strconv.Itoa(burst)}},
		Load:      client,
		Expect:    base(claims.LimitHolds("flood"), check.RetryAfterHonest(claims.Insight())),
		Sometimes: []check.Check{check.SawRefusals(1)},
	}
}
