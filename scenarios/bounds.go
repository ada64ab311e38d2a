package scenarios

import (
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
)

// Figures of the gateways' default settings, which claims are measured by.
const (
	redisBudget    = gateway.RedisBudget
	postgresBudget = gateway.PostgresBudget
	lease          = gateway.Lease
	llmTimeout     = gateway.LLMTimeout
	breakerOpen    = gateway.BreakerOpen
	breakerProbes  = gateway.BreakerProbes
)

// slack is what a claim about time allows beside what it is derived from: the machine is shared by the service and all observers.
const slack = 100 * time.Millisecond

// Bounds of what scenarios claim. "Bounds" in docs/ARCHITECTURE.md derives each from settings and waits. The first ones are for how much
// longer than is normal a request may take.
const (
	addedByRedis     = redisBudget + postgresBudget + slack
	addedBySlowRedis = 3*redisBudget + slack
	addedByFullDisk  = postgresBudget + slack
	addedByPostgres  = 2*postgresBudget + slack
	addedByDeath     = lease + time.Second
	addedByLLM       = 2*llmTimeout + slack

	recovery        = lease // until all is normal again
	breakerRecovery = breakerOpen + time.Second
	clientsFollow   = 2 * time.Second // Postgres, to another primary

	probesInARound = 2 * breakerProbes // calls of one replica, each time the breaker of a model that is down lets probes through
)
