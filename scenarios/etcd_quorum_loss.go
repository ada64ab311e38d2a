package scenarios

import (
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/claims"
	"github.com/sentinel-chaos/sentinel/fixtures/stores/postgresha"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
)

// EtcdQuorumLoss kills two of three etcd members. Patroni's failsafe mode is off, so that the primary has to step down although
// its standbys are well: it cannot know that nobody else was given the lead.
func EtcdQuorumLoss() harness.Scenario {
	const (
		lasts      = postgresha.TTL + 2*time.Second // so that stepping down too late is seen
		leadsAgain = postgresha.TTL + 5*time.Second // the leader's key may have to run out before anybody may lead
	)
	faults := postgresha.EtcdQuorumLoss(faultAt, lasts)
	f := faults[0].Fault
	return harness.Scenario{
		Name:   "etcd-quorum-loss",
		Claim:  "With 2 of 3 etcd members killed for 22 s the Postgres primary steps down before its ttl of 20 s is over, and one leads again within 25 s of the heal; hits and misses are served throughout, and the ledger is complete afterwards.",
		System: gateway.Stack{},
		Load:   steady(gateway.DefaultTenants(), faultAt+lasts+leadsAgain),
		Faults: faults,
		Probes: postgresha.Probes(),
		Expect: base(gateway.QuickHits(), check.StepsDown(f.Name, postgresha.SourcePatroni, postgresha.SawLeader, postgresha.TTL),
			check.LeadsAgain(f.Name, postgresha.SourcePatroni, postgresha.SawLeader, leadsAgain),
			check.NoSplitBrain(postgresha.SourcePatroni, postgresha.SawLeader, seenAtOnce),
			check.RecoversWithin(f.Name, recovery)),
		Sometimes: []check.Check{claims.SawHitsAndMisses()},
	}
}
