package scenarios

import (
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/claims"
	"github.com/sentinel-chaos/sentinel/fixtures/stores/postgresha"
	"github.com/sentinel-chaos/sentinel/fixtures/stores/redisha"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/fault"
)

// RedisFailoverWithoutPostgres kills the Redis master in the middle of a herd's calls, when Redis is the only lease store: the
// locks must be where the next master is. The calls take long, so that no answer is told before the kill: such a one might
// be lost with the master. They begin 0.5 s after the herd, the Postgres budget, if nobody has yet found Postgres unavailable.
func RedisFailoverWithoutPostgres() harness.Scenario {
	const herdAt = 4500 * time.Millisecond
	client, keys := herd(herdAt-500*time.Millisecond, [2]string{"acme", "globex"}, "acme", "globex")
	postgres, redis := fault.Kill(postgresha.Primary()), fault.Kill(redisha.Master())
	return harness.Scenario{
		Name:   "redis-failover-without-postgres",
		Claim:  "With no Postgres primary, the Redis master dies while the LLM is called for 10 cold keys; 1,400 requests for them still cost exactly 10 LLM calls.",
		System: gateway.Stack{LLMLatency: 1500 * time.Millisecond},
		Load:   afterHerd(client, 34*time.Second),
		Faults: fault.Plan{{At: 0, For: 30 * time.Second, Fault: postgres}, {At: herdAt + time.Second, For: 6 * time.Second, Fault: redis}},
		Expect: base(claims.ExactCalls(keys)),
		Sometimes: []check.Check{check.FailedOver(postgres.Name, postgresha.SourcePatroni, postgresha.SawLeader),
			check.FailedOver(redis.Name, redisha.SourceRole, redisha.SawMaster)},
	}
}
