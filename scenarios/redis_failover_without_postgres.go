package scenarios

import (
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/fault"
)

// RedisFailoverWithoutPostgres kills the Redis master in the middle of a herd's calls, when Redis is the only authority: the
// locks must be where the next master is. The calls take long, so that no answer is told before the kill: such a one might
// be lost with the master. They begin 0.5 s after the herd, the Postgres budget, if nobody has yet found Postgres silent.
func RedisFailoverWithoutPostgres() harness.Scenario {
	const herdAt = 4500 * time.Millisecond
	client, keys := herd(herdAt-500*time.Millisecond, [2]string{"acme", "globex"}, "acme", "globex")
	postgres, redis := fixtures.PostgresPrimaryKill(), fixtures.RedisMasterKill()
	return harness.Scenario{
		Name:   "redis-failover-without-postgres",
		Claim:  "With no Postgres primary, the Redis master dies while the LLM is called for 10 cold keys; 1,400 requests for them still cost exactly 10 LLM calls.",
		System: fixtures.GatewayStack{LLMLatency: 1500 * time.Millisecond},
		Load:   afterHerd(client, 34*time.Second),
		Faults: fault.Plan{{At: 0, For: 30 * time.Second, Fault: postgres}, {At: herdAt + time.Second, For: 6 * time.Second, Fault: redis}},
		Probes: observers(),
		Expect: base(check.ExactCalls(keys)),
		Sometimes: []check.Check{check.FailedOver(postgres.Name, postgres.Certificate, fixtures.SourcePatroni, fixtures.PostgresLeader),
			check.FailedOver(redis.Name, redis.Certificate, fixtures.SourceRedisRole, fixtures.RedisMaster)},
	}
}
