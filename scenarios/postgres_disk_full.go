package scenarios

import (
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/claims"
	"github.com/sentinel-chaos/sentinel/fixtures/stores/postgresha"
	"github.com/sentinel-chaos/sentinel/fixtures/stores/redisha"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
)

// PostgresDiskFull fills the disk of the Postgres primary. It stays the primary, reads, and takes what needs no room, such as a heartbeat
// that a gateway writes over its last one. Claims, answers and rows need some. Each time that one is refused, Postgres is
// unavailable for a second, and until it takes a heartbeat.
//
// A disk of 512 MiB is more than three times what the servers need for the length of the run. To fill it takes a quarter of a second.
func PostgresDiskFull() harness.Scenario {
	const (
		disk  = 512 << 20 // bytes
		lasts = 10 * time.Second
	)
	f := postgresha.PrimaryDiskFull()
	return harness.Scenario{
		Name:   "postgres-disk-full",
		Claim:  "While the disk of the Postgres primary is full, requests are answered, none later than is normal by more than the Postgres budget and 100 ms, none is refused, no key is called twice, no row is lost, and neither Redis nor the LLM is blamed for it.",
		System: gateway.Stack{PostgresRoom: disk},
		Load:   steady(gateway.DefaultTenants(), faultAt+lasts+shortTail),
		Faults: during(f, faultAt, lasts),
		Expect: base(gateway.QuickHits(), gateway.Cover(), gateway.EndsInTime(), check.WorstAddedLatency(f.Name, addedByFullDisk), check.RecoversWithin(f.Name, recovery),
			check.StaysZero(gateway.MetricBreaker), check.StaysZero(gateway.MetricUnavailable(redisha.Role))),
		Sometimes: []check.Check{check.SawRises(gateway.MetricUnavailable(postgresha.Role), 1), claims.SawHitsAndMisses()},
	}
}
