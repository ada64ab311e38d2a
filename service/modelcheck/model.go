package modelcheck

// faults are the sorts of faults that a model may contain.
type faults uint8

const (
	crash     faults = 1 << iota // of a gateway
	pause                        // of a gateway, of any length, and its resume
	partition                    // one gateway is cut off from one lease store, or from both
	loss                         // one lease store acknowledges nothing to anybody, and comes back
	amnesia                      // Redis may come back with nothing

	ofGateway = crash | pause | partition
	ofStore   = loss | amnesia
	every     = ofGateway | ofStore
)

func (f faults) has(g faults) bool { return f&g != 0 }

// ablations are the steps of the protocol that are left out of a model. The zero value is the whole protocol.
type ablations struct {
	wait           bool    // WAIT for Redis's replicas before a lock counts
	renewal        bool    // of the lease, while a call is under way
	abort          bool    // of a call before the last lease that covers it ends
	recheck        set     // the look for an answer in the same step that takes the lock, by lease store
	ownRelease     bool    // releasing only one's own lock
	ownSettlement  bool    // storing only under one's own lock, or where there is neither lock nor answer
	lateStore      bool    // storing under these rules even when the holder's own view of its lease has ended
	verdictOfStore bool    // distinguishing an answer that was stored from one that was not, since others hold the flight
	noReplyAs      verdict // what no reply is taken for instead
	storeFirst     bool    // storing before answering the client
	readBack       bool    // finding one's own claim after a timeout, and when renewing
	takeover       bool    // of claims whose lease has ended
	releaseOfBoth  bool    // releasing both locks, not just the first
	releasePartial bool    // releasing the first lock when the other lease store refuses
	order          bool    // asking in the same order everywhere
	lookBeforeCall bool    // the holder's look at its own lease before it calls
	ageFromCall    bool    // counting an answer's TTL from its call
	secondOpinion  set     // not aborting at this lease store's refusal while the other one renews
	secondTry      bool    // asking again after an abort
	ownDeadline    bool    // distinguishing one's own deadline from a lease store that does not reply
	lookBeside     bool    // a look for an answer beside the lease store that refused
	resetBoth      bool    // resetting both gates when one lease store is heard again
	newRound       bool    // beginning a round anew in which a lease store is heard again
	handoff        bool    // to the lease store that missed an answer
	beside         bool    // storing in Redis while PostgreSQL takes its time
}

// model is what is explored.
type model struct {
	gateways  int
	faults    uint8 // how many may happen: of gateways one, of lease stores one
	allowed   faults
	failures  uint8  // how many calls may fail
	expiries  uint8  // how many lifetimes may pass
	deadlines bool   // requests may run out of time
	strays    bool   // a call may end while a renewal of its lease is on its way
	away      set    // lease stores that are not there at all
	judged    string // if not empty, the only promise that counts
	without   ablations
}

func (m *model) start() state {
	s := state{faults: m.faults, failures: m.failures, expiries: m.expiries}
	for i := m.gateways; i < len(s.gateways); i++ {
		s.gateways[i].phase = absent
	}
	for _, a := range leaseStores {
		if !m.away.has(a) {
			continue
		}
		s.stores[a].status = away
		for i := range m.gateways {
			s.gateways[i].unavailable = s.gateways[i].unavailable.with(a)
		}
	}
	return s
}

// normal is the state as it is kept. Gateways that differ in their order of asking are not interchangeable.
func (m *model) normal(s state) state {
	if m.without.order {
		s.rank()
		return s
	}
	return s.normal()
}

// moves emits all that can happen next.
func (m *model) moves(s state, emit func(move)) {
	for i := range s.gateways {
		if s.gateways[i].works() {
			m.gateway(s, i, emit)
		}
	}
	m.environment(s, emit)
	m.heal(s, emit)
	m.fault(s, emit)
}

// quiet reports whether nobody waits for an answer.
func quiet(s *state) bool {
	for i := range s.gateways {
		if g := &s.gateways[i]; g.phase != idle && g.phase < dead {
			return false
		}
	}
	return true
}
