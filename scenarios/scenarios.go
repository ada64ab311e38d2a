// Package scenarios is the catalogue: one file per scenario, each a claim about the gateway that a run can refute.
package scenarios

import (
	"math/rand/v2"
	"time"

	"github.com/sentinel-chaos/sentinel/examples/counter"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
	"github.com/sentinel-chaos/sentinel/fixtures/gateway/claims"
	"github.com/sentinel-chaos/sentinel/fixtures/haproxy"
	"github.com/sentinel-chaos/sentinel/fixtures/stores/postgresha"
	"github.com/sentinel-chaos/sentinel/fixtures/upstream"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/fault"
	"github.com/sentinel-chaos/sentinel/harness/load"
	"github.com/sentinel-chaos/sentinel/harness/probe"
)

// All returns the catalogue in the order in which it runs: that of the gateway, and the examples.
func All() []harness.Scenario {
	return append([]harness.Scenario{
		ThunderingHerd(),
		SigtermMidLoad(),
		SigtermWhileStarting(),
		Calm(),
		RedisMasterKill(),
		RedisMasterFreeze(),
		RedisDown(),
		PostgresNodeKill(),
		PostgresCrash(),
		PostgresSwitchover(),
		PostgresStandbyFreeze(),
		PostgresStandbyStarved(),
		HerdWithoutRedis(),
		HerdWithoutPostgres(),
		RedisFailoverWithoutPostgres(),
		ReplicaKill(),
		ReplicaKillWithoutRedis(),
		GatewayFreeze(),
		SlowLLM(),
		RateLimitBurst(),
		SpoofedAddresses(),
		LimitsWithoutRedis(),
		BadRequests(),
		KeyRevocation(),
		RedisMasterPartition(),
		RedisResets(),
		RedisFlapping(),
		RedisSlow(),
		PostgresPacketLoss(),
		RedisOutOfMemory(),
		PostgresSlow(),
		PostgresDiskFull(),
		TooManyConnections(),
		PostgresFreeze(),
		PostgresPartition(),
		EtcdQuorumLoss(),
		GatewayIsolated(),
		CacheExpiry(),
		BrokenLLM(),
		FlappingLLM(),
		OddLLM(),
		ClientAborts(),
		RollingRestart(),
		Overload(),
		Storm(),
		SoakSigterm(),
		SoakUniqueKeys(),
	}, counter.Scenarios()...)
}

// base is what every scenario claims.
func base(more ...check.Check) []check.Check { return baseOf(nil, more...) }

// baseOf is base where several faults may leave none of the lease stores: what nobody could prevent then is not claimed.
func baseOf(authorities []claims.Authority, more ...check.Check) []check.Check {
	return append([]check.Check{
		check.NothingDropped(),
		claims.OncePerKey(authorities...),
		claims.RightAnswer(),
		haproxy.NoHiddenRetries(),
		check.GaugesReturnToZero(gateway.Gauges()),
		claims.GaugesAgree(gateway.InFlight()),
		claims.Accounting(gateway.Counters()),
		claims.TenantIsolation(),
		claims.KeysBilledApart(),
		claims.UsageAgrees(),
		claims.SameKeySameAnswer(authorities...),
		claims.NothingLeftHeld(upstream.Role),
		claims.NothingKept(upstream.Role),
		claims.LedgerComplete(),
		claims.LiveToTheEnd(),
		gateway.AvailableAtRest(),
		gateway.RecoveriesLogged(),
		check.NoPanics(),
		check.PanicsCounted(gateway.MetricPanics),
		check.NoSecretsLeaked(),
	}, more...)
}

// How long a former primary may go on calling itself one beside another. One that was cut off has stepped down before anybody
// else may lead: that leaves what two polls of Patroni may be apart. One that was paused learns of it when resumed, from etcd;
// nothing that it takes until then is acknowledged, and half of the ttl is ample.
const (
	seenAtOnce       = time.Second
	primaryStepsDown = 10 * time.Second
)

// The time of most faults: late enough to know what is normal before it, with an end of the run that is long enough after
// it for Postgres to be whole again, or, where it was not hurt, for every claim about what comes after.
const (
	faultAt   = 8 * time.Second
	tail      = 14 * time.Second
	shortTail = 10 * time.Second
)

// nobodyStays claims that the gateways' connections follow the lead of Postgres, within the time that HAProxy takes to notice
// and that the observers need to see it.
func nobodyStays(f fault.Fault) check.Check {
	return check.NobodyStays(f.Name, check.Lead{Source: postgresha.SourcePatroni, What: postgresha.SawLeader},
		check.Clients{Source: haproxy.SourceSessions, What: haproxy.SawClients}, clientsFollow)
}

// sessions observe what nobodyStays needs beside what the faults of Postgres bring, as often as these ask Patroni who leads.
func sessions() []probe.Probe {
	return []probe.Probe{haproxy.PostgresSessions(postgresha.Role, postgresha.LookEvery)}
}

// during is a plan of one fault.
func during(f fault.Fault, at, lasts time.Duration) fault.Plan {
	return fault.Plan{{At: at, For: lasts, Fault: f}}
}

// Rates of the load, in requests/s. On two cores, with the whole stack and all of its observers on them, the lower one takes
// half of what there is: when a store fails, what is slow then is the service and not the machine. The higher one takes four
// fifths, and is for what makes no claim about time.
const (
	pace   = 100
	faster = 200
)

// steady is hits and misses at that pace.
func steady(tenants []string, length time.Duration) load.Profile {
	return steadyAt(pace, tenants, length)
}

// steadyAt is hits and misses at a rate. The warm-up ends with the load itself, so that pools have the size that leaks are
// measured against.
func steadyAt(rate float64, tenants []string, length time.Duration) load.Profile {
	const (
		hot       = 20
		coldShare = 0.3
	)
	stage := func(name, cold string, length time.Duration) load.Stage {
		return load.Stage{Name: name, Shape: load.Constant(rate, length), Request: mixed(tenants, hot, coldShare, cold)}
	}
	client := asking(stage("steady", "cold case", length))
	rehearsal := stage("rehearsal", "rehearsal", 3*time.Second)
	rehearsal.Start = fillFor + time.Second
	client.Warmup = []load.Stage{fill(tenants, hot), rehearsal}
	return client
}

// floods has one tenant ask at a rate what nobody asked before: what a limit lets through is a call then, and its moment is in the
// LLM's ledger.
func floods(name string, rate float64, start, length time.Duration) load.Stage {
	return load.Stage{Name: name, Start: start, Shape: load.Constant(rate, length), Request: func(k uint64, _ *rand.Rand) load.Request {
		return gateway.Query("acme", about(name+" question", k))
	}}
}

// bySecondKey has a stage come by the second key of its tenant.
func bySecondKey(stage load.Stage) load.Stage {
	byFirst := stage.Request
	stage.Request = func(k uint64, r *rand.Rand) load.Request {
		q := byFirst(k, r)
		q.Credential = gateway.SecondKey(q.User)
		return q
	}
	return stage
}

// herd is 1,000 requests at once, from that moment on, for few cold keys of two tenants, and 400 more over the next 2 s. It
// returns the number of keys. A first herd, of the tenants that the replicas are to know, gives pools the size that leaks
// are measured against.
func herd(from time.Duration, tenants [2]string, known ...string) (client load.Profile, keys uint64) {
	const (
		size, stragglers = 1000, 400
		topics           = 5
	)
	keys = uint64(topics * len(tenants))
	at := 500 * time.Millisecond
	ask := func(k uint64, _ *rand.Rand) load.Request {
		return gateway.Query(tenants[k%2], about("breaking story", k%keys/2))
	}
	client = asking(
		load.Stage{Name: "herd", Start: from, Shape: load.Herd(size, at), Request: ask},
		load.Stage{Name: "stragglers", Start: from + at, Shape: load.Spread(stragglers, 2*time.Second), Request: ask},
	)
	client.Warmup = []load.Stage{{Name: "first herd", Shape: load.Herd(size, at),
		Request: func(k uint64, _ *rand.Rand) load.Request {
			return gateway.Query(known[k%uint64(len(known))], about("older story", k%keys))
		}}}
	return client, keys
}

// longCalls is a stack whose LLM calls outlive a lease, so that whoever makes one must renew it. The lease is about the shortest
// that the budgets of the stores allow; a call may take longer than most of them draw.
func longCalls() gateway.Stack {
	return gateway.Stack{LLMLatency: 2800 * time.Millisecond, Env: map[string]string{
		"SENTINEL_LEASE": "2300ms", "SENTINEL_LLM_TIMEOUT": "3500ms", "SENTINEL_LLM_BUDGET": "6500ms",
	}}
}

// callsUnderWay is a stack in which each replica has calls under way at any moment of a load of steady and 47 questions/s. The
// balancer deals out the two streams by turns, so that for up to 0.36 s at a time, as seen, a replica gets no miss: with calls of
// 0.3 s it had none under way for a two hundredth of the time.
func callsUnderWay() gateway.Stack {
	return gateway.Stack{LLMLatency: 600 * time.Millisecond}
}

// afterHerd goes on asking a herd's questions, for as long as it takes to heal.
func afterHerd(client load.Profile, length time.Duration) load.Profile {
	last := client.Stages[len(client.Stages)-1]
	client.Stages = append(client.Stages, load.Stage{Name: "later", Start: last.Start + 2*time.Second,
		Shape: load.Constant(10, length), Request: last.Request})
	return client
}

// mixed asks hot prompts, which a warm-up has cached, and cold ones about the subject. Requests that follow each other share a
// cold one, so that replicas meet in its call, which takes longer than the time between them; and what was asked, or was not, is
// asked again later: an answer that was lost shows, and so does one that was stored on one side of a fault alone.
func mixed(tenants []string, hot uint64, coldShare float64, cold string) func(uint64, *rand.Rand) load.Request {
	const (
		together = 3   // as many as there are replicas, which the load balancer takes in turn
		later    = 250 // requests: 2.5 s at 100/s, when the next Redis master leads
		laterOf  = 3   // one in three is about an earlier one
	)
	return func(k uint64, r *rand.Rand) load.Request {
		if r.Float64() >= coldShare {
			return gateway.Query(tenants[r.IntN(len(tenants))], about("hot topic", r.Uint64N(hot)))
		}
		if k >= later && r.IntN(laterOf) == 0 {
			k -= later
		}
		n := k / together
		return gateway.Query(tenants[n%uint64(len(tenants))], about(cold, n))
	}
}

// question is asked by one tenant or another, and is the same one whichever stage asks it.
func question(k uint64, _ *rand.Rand) load.Request {
	tenants := gateway.DefaultTenants()
	return gateway.Query(tenants[k%uint64(len(tenants))], about("open question", k))
}

// fill asks every hot prompt of every tenant once.
func fill(tenants []string, hot uint64) load.Stage {
	n := hot * uint64(len(tenants))
	return load.Stage{
		Name:  "fill",
		Shape: load.Spread(n, fillFor),
		Request: func(k uint64, _ *rand.Rand) load.Request {
			return gateway.Query(tenants[k%uint64(len(tenants))], about("hot topic", k/uint64(len(tenants))))
		},
	}
}

// fillFor spreads the filling of the cache, so that it is no herd of its own.
const fillFor = time.Second
