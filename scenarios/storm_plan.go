package scenarios

import (
	"cmp"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/stores/postgresha"
	"github.com/sentinel-chaos/sentinel/fixtures/stores/redisha"
	"github.com/sentinel-chaos/sentinel/fixtures/upstream"
	"github.com/sentinel-chaos/sentinel/harness/fault"
)

// A storm is either one long outage of Postgres, in which Redis may lose its master, or two shorter faults, one of each store.
// A replica is taken away during each outage of a store, and the LLM goes wrong at some time. What may overlap:
//
//   - Two faults of stores within one flight can leave one replica with Redis alone and another with Postgres alone, which is
//     two calls and not claimed: shorter faults keep well apart, and Redis loses its master only when every replica has long
//     found Postgres unavailable, and before anybody may lead it again.
//   - A store that is slow is unavailable to some and not to others: never while the other one is away.
//   - All of Redis away and no Postgres primary: hits could be read nowhere, so that is left out.
//   - A ledger row may be in one Redis and one replica's memory only: for a moment, or for as long as Postgres is away. A replica
//     that dies in the same moments as that Redis, or after it without Postgres, takes the last copy along: it dies seconds
//     after the Redis, when Postgres has the row, or seconds before, when another Redis has it.
//   - A replica that starts while Postgres is away is not ready before that is back: no other one may be taken away meanwhile.
//   - A pause of a replica is longer than its lease, since only such a one explains a further call.

// Where the two faults of stores begin, or the one, give or take; and when the plan is over at the latest.
const (
	stormFirst  = 4 * time.Second
	stormSecond = 20 * time.Second
	stormOver   = 34 * time.Second
)

// drawStorm makes the plan of a storm.
func drawStorm(r *rand.Rand) fault.Plan {
	victims := []string{"gateway-1", "gateway-2", "gateway-3"}
	r.Shuffle(len(victims), func(i, j int) { victims[i], victims[j] = victims[j], victims[i] })
	draw := drawShort
	if r.IntN(3) == 0 {
		draw = drawLong
	}
	p := append(draw(r, victims), drawLLM(r))
	slices.SortStableFunc(p, func(a, b fault.Step) int { return cmp.Compare(a.At, b.At) })
	return p
}

// drawLong kills the node of the Postgres primary, for longer than its ttl of 20 s.
func drawLong(r *rand.Rand, victims []string) fault.Plan {
	const (
		lasts, failover = 25 * time.Second, 6 * time.Second
		longest         = 7 * time.Second // that a replica is away
	)
	at := within(r, stormFirst, stormFirst+2*time.Second)
	p := during(fault.Kill(postgresha.Primary()), at, lasts)
	if r.IntN(2) == 0 {
		return append(p, drawReplica(r, victims[0], at+2*time.Second, at+lasts-longest))
	}
	// Postgres was found unavailable long before, and leads again 20 s after the kill at the earliest.
	redis := at + within(r, 7*time.Second, 9*time.Second)
	return append(p, fault.Step{At: redis, For: failover, Fault: fault.Kill(redisha.Master())},
		drawReplica(r, victims[0], at+time.Second, at+3*time.Second))
}

// drawShort has a fault of each store, in any order, and takes a replica away during each.
func drawShort(r *rand.Rand, victims []string) (p fault.Plan) {
	stores := []func(*rand.Rand, time.Duration) fault.Plan{drawRedis, drawPostgres}
	r.Shuffle(len(stores), func(i, j int) { stores[i], stores[j] = stores[j], stores[i] })
	for i, from := range []time.Duration{stormFirst, stormSecond} {
		at := within(r, from, from+2*time.Second)
		p = append(append(p, stores[i](r, at)...), drawReplica(r, victims[i], at+3*time.Second, at+5*time.Second))
	}
	return p
}

func drawRedis(r *rand.Rand, at time.Duration) fault.Plan {
	const failover, longer = 6 * time.Second, 8 * time.Second
	return pick(r, during(fault.Kill(redisha.Master()), at, failover), during(fault.Pause(redisha.Master()), at, failover),
		redisha.Down(at, longer), during(redisha.MasterBrownOut(), at, longer))
}

func drawPostgres(r *rand.Rand, at time.Duration) fault.Plan {
	const lasts = 8 * time.Second
	return during(pick(r, postgresha.PrimaryCrash(), postgresha.Switchover(), fault.Pause(postgresha.SyncStandby()), postgresha.PrimaryBrownOut()), at, lasts)
}

// drawReplica takes a replica away, at some moment from earliest to latest.
func drawReplica(r *rand.Rand, victim string, earliest, latest time.Duration) fault.Step {
	restart, standstill := 5*time.Second, lease+2*time.Second
	s := pick(r, fault.Step{For: restart, Fault: fault.Kill(fault.Node(victim))}, fault.Step{For: restart, Fault: fault.Term(fault.Node(victim))},
		fault.Step{For: standstill, Fault: fault.Pause(fault.Node(victim))})
	s.At = within(r, earliest, latest)
	return s
}

// drawLLM has the LLM take a second longer, which no call is lost to, or fail every other call: less than would open the
// breaker, so that calls go on.
func drawLLM(r *rand.Rand) fault.Step {
	const lasts = 6 * time.Second
	return fault.Step{At: within(r, stormFirst, stormOver-lasts), For: lasts,
		Fault: pick(r, upstream.Slow(time.Second), llmErrors())}
}

// llmErrors is the one fault of a storm for which misses may be refused though a lease store takes writes.
func llmErrors() fault.Fault { return upstream.Errors(0.5, http.StatusInternalServerError) }

// within draws a moment, in whole milliseconds.
func within(r *rand.Rand, from, to time.Duration) time.Duration {
	return from + time.Duration(r.Int64N(int64((to-from)/time.Millisecond)+1))*time.Millisecond
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }
