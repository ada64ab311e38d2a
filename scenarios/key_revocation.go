package scenarios

import (
	"net/http"
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/claims"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/load"
)

// KeyRevocation revokes the API key of a tenant whom every replica knows. A replica may answer with what it remembers of the key for
// as long as gateway.RevokedWithin: for that time nobody asks, since both answers would be right.
func KeyRevocation() harness.Scenario {
	const (
		tenant     = "acme"
		tenantPace = 30                     // requests/s, ten of each replica
		before     = 500 * time.Millisecond // longer than a request takes until its key is known
		lasts      = 8 * time.Second
	)
	f := gateway.KeyRevoked(tenant)
	again := faultAt + gateway.RevokedWithin + slack
	client := steadyAt(pace-tenantPace, []string{"globex", "initech"}, again+lasts)
	valid := steadyAt(tenantPace, []string{tenant}, faultAt-before)
	revoked := valid.Stages[0]
	valid.Stages[0].Name, revoked.Name = "with a valid key", "with a revoked key"
	revoked.Start, revoked.Shape, revoked.Request = again, load.Constant(tenantPace, lasts), load.Wanting(http.StatusUnauthorized, revoked.Request)
	client.Stages = append(client.Stages, valid.Stages[0], revoked)
	stored := valid.Warmup[0] // so that only the key keeps the answers from it
	stored.Name = "fill for the revoked key"
	client.Warmup = append(client.Warmup, stored)
	return harness.Scenario{
		Name:      "key-revocation",
		Claim:     "An API key that was revoked works on no replica when what replicas remember has expired, not even for stored answers, and nobody else notices.",
		System:    gateway.Stack{},
		Load:      client,
		Faults:    during(f, faultAt, 0),
		Expect:    base(gateway.QuickHits(), gateway.FewSeries(), check.BadRequestsRejected()),
		Sometimes: []check.Check{claims.SawHitsAndMisses()},
	}
}
