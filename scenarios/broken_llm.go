package scenarios

import (
	"fmt"
	"net/http"
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

// BrokenLLM has the LLM go wrong in every way that it can, one after another. The breaker stays open for a second only, so
// that each way meets one that is closed.
func BrokenLLM() harness.Scenario {
	const (
		open    = time.Second
		over    = open + 3*time.Second/2 // after a heal: a probe that came just before it fails, the breaker opens once more, two probes close it
		between = over + 3*time.Second/2
		// With 500s the breaker opens when nothing was answered for 1.5 s, 300 ms after the last good call came; after that, each
		// replica sends a round of probes each 1.3 s, in at most 4 rounds until the heal.
		erring, settled, rounds = 6 * time.Second, 2500 * time.Millisecond, 4
		// Retry-After is longer than the breaker stays open. The LLM is busy for as long: whoever keeps it, 300 ms or more after the
		// LLM became busy, finds it well.
		retryAfter, busy = 2 * time.Second, 2 * time.Second
		// Longer than a call's timeout, so that the breaker opens for calls that hang.
		wrong = 2500 * time.Millisecond
		// Calls fail from the start to the end: what they leave in PostgreSQL is over long before the run is.
		kept = 10 * time.Second
	)
	errs := upstream.Errors(1, http.StatusInternalServerError)
	plan := fault.Plan{
		{For: erring, Fault: errs},
		{For: busy, Fault: upstream.TurnsAway(retryAfter)},
		{For: wrong, Fault: upstream.Malformed()},
		{For: wrong, Fault: upstream.Truncated()},
		{For: wrong, Fault: upstream.Resets()},
		{For: wrong, Fault: upstream.Refuses()},
		{For: wrong, Fault: upstream.Hangs()},
	}
	at := faultAt / 2
	var allow []evidence.Allowance
	for i := range plan {
		plan[i].At = at
		healed := at + plan[i].For
		// Misses alone, from the first that may meet it to the breaker's recovery.
		allow = append(allow, evidence.Allowance{From: at - time.Second/2, To: healed + over, Share: 1, Classes: []string{record.Miss}})
		at = healed + between
	}
	client := steady(gateway.DefaultTenants(), at)
	client.Allow = allow
	// Each question comes twice: what was asked of a broken LLM is asked again when that is well.
	for i, start := range []time.Duration{0, between} {
		client.Stages = append(client.Stages, load.Stage{Name: fmt.Sprintf("round %d", i+1), Start: start, Shape: load.Constant(20, at-start), Request: question})
	}
	return harness.Scenario{
		Name:   "broken-llm",
		Claim:  "While the LLM answers 500, turns callers away, sends malformed or half bodies, resets or refuses connections, or hangs, no wrong body is stored or given as an answer, misses alone are refused, until 2.5 s after the heal at most, and Retry-After is kept.",
		System: gateway.Stack{Env: map[string]string{"SENTINEL_BREAKER_OPEN": open.String(), "SENTINEL_CACHE_TTL": "2m", "SENTINEL_KEEP_CLAIMS": kept.String()}}, // no hit dies
		Load:   ofOneModel(client),
		Faults: plan,
		Expect: base(gateway.QuickHits(), claims.RetryAfterHonoured(retryAfter), claims.CallsHeldBack(errs.Name, settled, rounds*3*probesInARound),
			check.RetryAfterHonest(claims.Insight())),
		Sometimes: []check.Check{claims.SawHitsAndMisses(), check.SawRefusals(1)},
	}
}
