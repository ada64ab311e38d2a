package scenarios

import (
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway/claims"
	"github.com/sentinel-chaos/sentinel/fixtures/stores/postgresha"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/fault"
)

// HerdWithoutPostgres sends the thundering herd when Redis is the only lease store, for answers that take longer than a lease: the
// primary's node is dead, and nobody may lead before its ttl is over. The replicas know the tenants: a key that they never saw,
// nobody could vouch for.
func HerdWithoutPostgres() harness.Scenario {
	client, keys := herd(4*time.Second, [2]string{"acme", "globex"}, "acme", "globex")
	f := fault.Kill(postgresha.Primary())
	return harness.Scenario{
		Name:      "herd-without-postgres",
		Claim:     "With no Postgres primary, 1,000 requests at once for 10 cold keys, and 400 more over the next 2 s, still cost exactly 10 LLM calls, though each of them outlives its lease.",
		System:    longCalls(),
		Load:      afterHerd(client, 34*time.Second),
		Faults:    during(f, 0, 30*time.Second),
		Expect:    base(claims.ExactCalls(keys)),
		Sometimes: []check.Check{check.FailedOver(f.Name, postgresha.SourcePatroni, postgresha.SawLeader), claims.SawCallsBeyondLease()},
	}
}
