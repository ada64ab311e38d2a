package modelcheck

import "cmp"

// leaseStore is one of the two that lease flights and keep answers.
type leaseStore uint8

const (
	redis leaseStore = iota
	postgres
)

var leaseStores = [...]leaseStore{redis, postgres}

func (a leaseStore) String() string { return [...]string{"Redis", "PostgreSQL"}[a] }

// set is a set of lease stores.
type set uint8

const both set = 1<<redis | 1<<postgres

func only(a leaseStore) set            { return 1 << a }
func (s set) has(a leaseStore) bool    { return s&only(a) != 0 }
func (s set) with(a leaseStore) set    { return s | only(a) }
func (s set) without(a leaseStore) set { return s &^ only(a) }

func (s *set) put(a leaseStore, in bool) {
	*s = s.without(a)
	if in {
		*s = s.with(a)
	}
}

// answer names an answer by its age: a higher number came from a later call.
type answer uint8

const (
	nothing answer = 0
	expired answer = 255 // past its TTL
)

// phase is what a gateway does next.
type phase uint8

const (
	idle             phase = iota
	acquireFirst           // asks the first lease store
	acquireLast            // asks the other one
	releasingPartial       // releases what the first one granted
	backfilling            // hands the other one's answer to the first
	granted                // may call
	calling                // the call is under way
	settling               // stores its answer in PostgreSQL
	settling2              // and in Redis
	settlingSlow           // or the other way round, since PostgreSQL took its time
	telling                // answers the client
	releasing              // releases the flight in Redis
	releasing2             // and at PostgreSQL
	dead
	absent // not part of this model
)

// settles reports whether an answer is being stored.
func (p phase) settles() bool { return p == settling || p == settling2 || p == settlingSlow }

// call is a gateway's call as the upstream sees it.
type call uint8

const (
	noCall call = iota
	running
	done // answered, but the gateway, paused, has not seen it
)

// rows are the places where the ledger row of the gateway's last call is, as long as the row is not in PostgreSQL.
type rows uint8

const (
	inMemory rows = 1 << iota
	inOutbox
	inOutboxCopy
)

func (r *rows) put(place rows, in bool) {
	*r &^= place
	if in {
		*r |= place
	}
}

// marks are what else is known of a gateway.
type marks uint8

const (
	paused      marks = 1 << iota
	lapsed            // its own view of its lease has ended
	excused           // by (iv): it was paused, or kept from both lease stores, for longer than its lease
	partitioned       // by (iv): it was cut off from both lease stores, and may not have heard again from both
	duplicate         // its call is beyond one per key
	again             // asks again once it has released the flight
)

func (m marks) has(n marks) bool { return m&n != 0 }

// gateway is one replica and its flight, if it has one. The zero gateway is idle.
type gateway struct {
	phase       phase
	got         set // what granted in this round of asking; or what stored the answer
	missed      set // what did not reply when the answer was to be stored
	cover       set // on whose grants the holder's own view of its lease rests
	unavailable set // known not to answer, and not asked
	cut         set // cannot be reached from here
	lock        set // the flight's locks, by lease store
	copied      set // its locks as the lease store's second copy has them
	late        set // where a timed-out acquisition may still happen
	freed       set // where a timed-out release may still happen
	owes        set // lease stores that an answer is still to be handed off to
	due         answer
	orphan      set // where the lock of the flight whose answer is due may still be
	call        call
	hand        answer
	row         rows
	is          marks
}

// inHand reports whether the gateway has the answer of its own call, and its client not yet.
func (g *gateway) inHand() bool {
	return g.hand != nothing && g.phase != backfilling && (g.phase != telling || g.got != 0)
}

// works reports whether the gateway can take a step.
func (g *gateway) works() bool { return g.phase < dead && !g.is.has(paused) }

// content is what one copy of a lease store holds beside the locks of flights under way.
type content struct {
	orphan bool // a lock whose flight is over
	answer answer
}

// status is the state of a lease store.
type status uint8

const (
	up      status = iota
	stalled        // PostgreSQL without its standby: it reads, and commits, but acknowledges nothing
	down           // nothing is acknowledged, and what happened to it is unknown; a former Redis master may still read
	away           // out of reach, for good
)

// store is one lease store: Redis's master and replica, PostgreSQL's primary and standby.
type store struct {
	status     status
	main, copy content
	lateOrphan bool // an acquisition of a flight that is over may still happen
}

// state is everything. It is the same state exactly if it is equal, once it is normal.
type state struct {
	gateways          [3]gateway
	stores            [2]store
	faults            uint8  // that may still happen
	spent             faults // sorts that may not happen again
	failures          uint8  // of the upstream that may still happen
	expiries          uint8  // ends of TTLs that may still happen
	duplicatesAllowed int8   // calls beyond one per key that faults explain
	acknowledged      bool   // within this TTL a call succeeded and a client has its answer
	unacknowledged    bool   // within this TTL a call succeeded whose caller a fault kept from answering anybody
}

// normal returns the state's representative: gateways are interchangeable, and of answers only their order counts.
func (s state) normal() state {
	s.rank()
	g := &s.gateways
	for _, p := range [...][2]int{{0, 1}, {1, 2}, {0, 1}} {
		if g[p[0]].compare(&g[p[1]]) > 0 {
			g[p[0]], g[p[1]] = g[p[1]], g[p[0]]
		}
	}
	return s
}

// compare puts gateways in some order; 0 means equal.
func (g *gateway) compare(h *gateway) int {
	if g.phase != h.phase { // mostly
		return cmp.Compare(g.phase, h.phase)
	}
	a, b := g.words(), h.words()
	return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]), cmp.Compare(a[2], b[2]))
}

// words packs the gateway without loss.
func (g *gateway) words() (w [3]uint64) {
	for i, b := range [...]uint8{uint8(g.phase), uint8(g.got), uint8(g.missed), uint8(g.cover), uint8(g.unavailable), uint8(g.cut),
		uint8(g.lock), uint8(g.copied), uint8(g.late), uint8(g.freed), uint8(g.owes), uint8(g.due), uint8(g.orphan), uint8(g.call), uint8(g.hand),
		uint8(g.row), uint8(g.is)} {
		w[i/8] |= uint64(b) << (i % 8 * 8)
	}
	return w
}

// rank renumbers the answers from 1, oldest first.
func (s *state) rank() {
	var name [16]answer
	s.answers(func(a *answer) { name[*a] = 1 })
	next := nothing
	for i, used := range name {
		next += used
		name[i] = next
	}
	s.answers(func(a *answer) { *a = name[*a] })
}

// answers visits every answer that lives somewhere.
func (s *state) answers(visit func(*answer)) {
	live := func(a *answer) {
		if *a != nothing && *a != expired {
			visit(a)
		}
	}
	for i := range s.gateways {
		live(&s.gateways[i].hand)
		live(&s.gateways[i].due)
	}
	for i := range s.stores {
		live(&s.stores[i].main.answer)
		live(&s.stores[i].copy.answer)
	}
}

// newest returns a name for an answer that is newer than all others.
func (s *state) newest() answer {
	newest := nothing
	s.answers(func(a *answer) { newest = max(newest, *a) })
	return newest + 1
}
