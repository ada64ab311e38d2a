package scenarios

import (
	"math/rand/v2"
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/claims"
	"github.com/sentinel-chaos/sentinel/fixtures/stores/redisha"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/fault"
	"github.com/sentinel-chaos/sentinel/harness/load"
)

// BadRequests sends what must not be served among what must, before, while and after another Redis becomes the master. Whether a
// request is right no store of answers decides, so that the fault changes nothing. An unknown key is looked up in PostgreSQL, which
// is whole.
func BadRequests() harness.Scenario {
	const (
		badPace = 40 // requests/s
		lasts   = 4 * time.Second
	)
	f, tenants, length := fault.Kill(redisha.Master()), gateway.DefaultTenants(), faultAt+lasts+shortTail
	client := steadyAt(pace-badPace, tenants, length)
	client.Stages = append(client.Stages, load.Stage{Name: "bad requests", Shape: load.Constant(badPace, length),
		Request: func(k uint64, r *rand.Rand) load.Request {
			return gateway.BadRequest(k, r, tenants[r.IntN(len(tenants))])
		}})
	return harness.Scenario{
		Name:      "bad-requests",
		Claim:     "Requests without valid credentials, and those that are malformed, too large, misspelt or for what is not there, get their status before, during and after a Redis failover, within the time of a good request, and cost nothing.",
		System:    gateway.Stack{},
		Load:      client,
		Faults:    during(f, faultAt, lasts),
		Expect:    base(gateway.QuickHits(), check.BadRequestsRejected(), gateway.FewSeries(), check.WorstAddedLatency(f.Name, addedByRedis)),
		Sometimes: []check.Check{claims.SawHitsAndMisses(), check.FailedOver(f.Name, redisha.SourceRole, redisha.SawMaster)},
	}
}
