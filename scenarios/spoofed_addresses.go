package scenarios

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/claims"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/record"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/load"
)

// SpoofedAddresses lets one address flood through all replicas, at six times the limit of an address, with clients that say in each request
// that they come from another one. The load generator is the outer of two proxies: it adds the address from which it had the request,
// behind what the client wrote. Each tenant has an address of its own.
func SpoofedAddresses() harness.Scenario {
	const (
		limit, burst  = 20, 40        // requests/s, and requests, of an address
		others, flood = 24, 6 * limit // requests/s, of two tenants together and of the third
		from, lasts   = 5 * time.Second, 10 * time.Second
		refusable     = 0.8             // of the misses due meanwhile: the flood's 1,200 less the 240 that are let through, and some 80 others
		proxies       = "198.18.0.0/15" // all addresses of the stack, among them the one from which the load generator reaches it
	)
	client := steadyAt(others, []string{"globex", "initech"}, from+lasts+5*time.Second)
	client.Stages = append(client.Stages, floods("flood", flood, from, lasts))
	client.Warmup = append(client.Warmup, floods("first flood", flood, 3*time.Second, 300*time.Millisecond))
	client.Allow = []evidence.Allowance{{From: from, To: from + lasts + time.Second, Share: refusable, Classes: []string{record.Miss}}}
	for _, stages := range [][]load.Stage{client.Warmup, client.Stages} {
		for i := range stages {
			stages[i].Request = spoofed(stages[i].Request)
		}
	}
	return harness.Scenario{
		Name:  "spoofed-addresses",
		Claim: "Of an address that floods through all replicas, its burst and its rate are let through, within 1 %, whatever addresses its clients claim to have, nobody else is refused anything, and Retry-After holds.",
		System: gateway.Stack{Env: map[string]string{"SENTINEL_RATE_IP": strconv.Itoa(limit), "SENTINEL_RATE_IP_BURST": strconv.Itoa(burst),
			"SENTINEL_RATE_IP_PROXIES": proxies}},
		Load:      client,
		Expect:    base(claims.LimitHolds("flood"), gateway.FewSeries(), check.RetryAfterHonest(claims.Insight())),
		Sometimes: []check.Check{claims.SawHitsAndMisses(), check.SawRefusals(1)},
	}
}

// spoofed has each tenant's requests come from the tenant's own address, by way of a proxy, from clients that claim to have any of a
// thousand others.
func spoofed(request func(uint64, *rand.Rand) load.Request) func(uint64, *rand.Rand) load.Request {
	addresses := map[string]string{"acme": "203.0.113.1", "globex": "203.0.113.2", "initech": "203.0.113.3"}
	return func(k uint64, r *rand.Rand) load.Request {
		q := request(k, r)
		q.Header.Set("X-Forwarded-For", fmt.Sprintf("192.0.2.%d, 198.51.100.%d, %s", r.IntN(4), r.IntN(250), addresses[q.User]))
		return q
	}
}
