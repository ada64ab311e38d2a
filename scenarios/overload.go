package scenarios

import (
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/claims"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/load"
)

// Overload asks five times as much of the gateways as the LLM can give. They answer so many queries at a time, all of them together
// as many as the LLM does; what they can give is measured just before, by asking for about twice that.
func Overload() harness.Scenario {
	const (
		// Each query takes 300 ms, the LLM's time, and a little more: 24 at a time are at most 80 requests/s, or 88 where they
		// come in waves and 3 s have eleven of them. Without a limit at the gateways they wait in the LLM's line, until their
		// callers give them up: its turns go to calls that nobody waits for any more.
		replicas      = 3
		atATime, wait = 8, 100 * time.Millisecond // of each gateway
		cores         = 0.25                      // of each gateway; the generator and the stores have what is left of two
		quiet         = 40                        // requests/s
		twice, five   = 180, 450                  // times, at least, what can be given
		asksAgain     = 13                        // each is 4.1 requests after the one before: the load balancer gives it to the next replica, not all to the same, as of 20, or ten in turn, as of 19

		measureAt, measureFor = 6 * time.Second, 6 * time.Second
		overloadAt, lasts     = measureAt + measureFor, 10 * time.Second
		over                  = overloadAt + lasts
		normal                = 2 * time.Second
		againAt               = over + 3*time.Second
		end                   = over + 12*time.Second
		refusable             = 0.9 // of what is asked meanwhile; the goodput is claimed apart
	)
	tenants := gateway.DefaultTenants()
	// Nobody asks twice while it lasts: whoever followed the advice would be refused again, as often as not.
	fresh := func(subject string) func(uint64, *rand.Rand) load.Request {
		return func(k uint64, _ *rand.Rand) load.Request {
			return gateway.Query(tenants[k%uint64(len(tenants))], about(subject, k))
		}
	}
	client := steadyAt(quiet, tenants, measureAt)
	afterwards := load.Stage{Name: "afterwards", Start: over, Shape: load.Constant(quiet, end-over), Request: mixed(tenants, 20, 0.3, "later case")}
	client.Stages = append(client.Stages,
		load.Stage{Name: "capacity", Start: measureAt, Shape: load.Constant(twice, measureFor), Request: fresh("measured question")},
		load.Stage{Name: "overload", Start: overloadAt, Shape: load.Constant(five, lasts), Request: fresh("pressing question")},
		afterwards,
		load.Stage{Name: "again", Start: againAt, Shape: load.Constant(asksAgain, end-againAt), Request: fresh("pressing question")},
	)
	client.Allow = []evidence.Allowance{{From: measureAt, To: over + normal, Share: refusable}}
	return harness.Scenario{
		Name:  "overload",
		Claim: "Asked for five times their capacity for 10 s, the gateways go on answering 80 % of it, refuse the rest with 503 and Retry-After, and are back to normal within 2 s.",
		System: gateway.Stack{Replicas: replicas, Cores: cores, LLMAtATime: replicas * atATime,
			Env: map[string]string{"SENTINEL_MAX_QUERIES": strconv.Itoa(atATime), "SENTINEL_MAX_WAIT": wait.String()}},
		Load: client,
		Expect: base(check.GoodputHolds("capacity", "overload", 5, 0.8), check.RecoversAfterStage("overload", "capacity", normal),
			check.RetryAfterHonest(claims.Insight())),
		Sometimes: []check.Check{claims.SawHitsAndMisses(), check.SawRefusals(1)},
	}
}
