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

// CacheExpiry has a hot set that was stored at one moment expire again and again while everybody asks for it.
func CacheExpiry() harness.Scenario {
	const (
		topics = 20 // of each of three tenants
		rate   = 400
		// 60 keys over the 4 s of the jitter are 1.5 in 100 ms. By chance there are more than 9 in one run of a million; if all
		// died together, the first 40 requests would renew 25 or more.
		window, factor = 100 * time.Millisecond, 6
		// The answers of the warm-up are over more than 20 s before the end of the run: if nobody sweeps them, that shows.
		kept = 10 * time.Second
	)
	tenants := gateway.DefaultTenants()
	ask := func(_ uint64, r *rand.Rand) load.Request {
		return gateway.Query(tenants[r.IntN(len(tenants))], about("hot topic", load.Zipf(r, 1.1, topics, topics)))
	}
	atOnce := fill(tenants, topics)
	atOnce.Shape = load.Herd(topics*uint64(len(tenants)), 500*time.Millisecond)
	client := asking(load.Stage{Name: "hot", Shape: load.Constant(rate, 30*time.Second), Request: ask})
	// The warm-up is over before the first answer dies, 4 s after it was stored.
	client.Warmup = []load.Stage{atOnce, {Name: "rehearsal", Start: 1200 * time.Millisecond, Shape: load.Constant(rate, time.Second), Request: ask}}
	return harness.Scenario{
		Name:      "cache-expiry",
		Claim:     "60 hot answers that were stored at one moment and live for 4 to 8 s are renewed under 400 requests/s with one LLM call per lifetime each, as spread as the jitter has it, and nobody is refused.",
		System:    gateway.Stack{Env: map[string]string{"SENTINEL_CACHE_TTL": "8s", "SENTINEL_CACHE_JITTER": "0.5", "SENTINEL_KEEP_CLAIMS": kept.String()}},
		Load:      client,
		Expect:    base(claims.ExpirySpread(window, factor), claims.NoExpiredAnswer()),
		Sometimes: []check.Check{claims.SawHitsAndMisses()},
	}
}
