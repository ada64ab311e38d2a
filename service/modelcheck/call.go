package modelcheck

// Promises about calls.
const (
	twoCalls     = "a second call while another one is in flight"
	secondAnswer = "a second call within the lifetime of an answer"
	tooMany      = "more calls beyond one per key than faults explain"
	needless     = "a call is aborted that a lease store would have covered"
)

// begin starts the call, and judges it by everything that stands in its way. Look and call are one step: what a pause
// between them does is the upstream's to prevent, not the gateway's.
func (m *model) begin(s state, i int, emit func(move)) {
	g := &s.gateways[i]
	if g.hand != nothing {
		g.phase = settling
		emit(move{step: step{who: i, does: "holds the flight again, with its answer"}, to: s})
		return
	}
	if g.is.has(lapsed) && !m.without.lookBeforeCall {
		g.round()
		emit(move{step: step{who: i, does: "finds its lease ended, and does not call"}, to: s})
		return
	}
	broken, more := s.judge(i)
	if more {
		s.duplicatesAllowed--
		g.is |= duplicate
		if s.duplicatesAllowed < 0 && broken == "" {
			broken = tooMany
		}
	}
	g.phase, g.call = calling, running
	emit(move{step: step{who: i, does: "calls the upstream"}, to: s, broken: broken})
}

// judge returns which promise a call of gateway i breaks, and whether it is one that only a fault explains.
func (s *state) judge(i int) (broken string, more bool) {
	if s.acknowledged && !s.gateways[i].is.has(partitioned) {
		return secondAnswer, true
	}
	more = s.acknowledged || s.unacknowledged
	for j := range s.gateways {
		g := &s.gateways[j]
		inFlight, brought := g.call == running, g.inHand() && g.hand != expired
		if j == i || !inFlight && !brought {
			continue
		}
		more = true
		switch explained := g.phase == dead || g.is.has(excused); {
		case inFlight && !explained:
			broken = twoCalls
		case brought && !explained:
			broken = secondAnswer
		}
	}
	return broken, more
}

// duringCall is what a gateway does while its call is under way: it renews, aborts, or gets its answer.
func (m *model) duringCall(s state, i int, emit func(move)) {
	m.renew(s, i, emit)
	if m.without.renewal || s.gateways[i].is.has(lapsed) || !s.coverable(i) {
		m.abort(s, i, "aborts its call", emit)
	}
	g := &s.gateways[i]
	switch g.call {
	case running:
		m.complete(s, i, emit)
	case done:
		g.call, g.phase = noCall, m.afterCall()
		emit(move{step: step{who: i, does: "finds the answer to its call"}, to: s})
	}
}

// afterCall is what follows the answer.
func (m *model) afterCall() phase {
	if m.without.storeFirst {
		return telling
	}
	return settling
}

func (m *model) complete(s state, i int, emit func(move)) {
	if s.failures > 0 {
		f := s
		f.failures--
		f.failed(i)
		f.gateways[i].leave(0)
		emit(move{step: step{who: i, does: "sees its call fail"}, kind: failure, to: f})
	}
	g := &s.gateways[i]
	g.hand = s.newest()
	g.call, g.phase, g.got = noCall, m.afterCall(), 0
	emit(move{step: step{who: i, does: "gets its answer"}, to: s})
	if !m.strays {
		return
	}
	for _, a := range leaseStores {
		stray := s
		stray.gateways[i].late = g.late.with(a)
		emit(move{step: step{who: i, does: "gets its answer, with a renewal on its way to", at: a, how: noReply, told: true}, to: stray})
	}
}

// failed returns to the budget of duplicates what a call took that brought nothing.
func (s *state) failed(i int) {
	if s.gateways[i].is.has(duplicate) {
		s.duplicatesAllowed++
	}
}

// reachable reports whether the lease store hears gateway i, and the other way round.
func (s *state) reachable(i int, a leaseStore) bool {
	return s.stores[a].status == up && !s.gateways[i].cut.has(a)
}

// renew asks a lease store again whose grant the gateway does not have, has lost, or may not get any more. To ask one that
// still grants changes nothing.
func (m *model) renew(s state, i int, emit func(move)) {
	if s.gateways[i].is.has(lapsed) || m.without.renewal {
		return
	}
	for _, a := range leaseStores {
		g := &s.gateways[i]
		if g.cover.has(a) && s.renews(i, a) && !(a == postgres && m.without.readBack) {
			continue
		}
		m.send(s, i, a, m.acquire, func(v verdict, s state, broken string) {
			g := &s.gateways[i]
			rest := g.cover.without(a)
			switch {
			case v == grant:
				g.cover = g.cover.with(a)
			case v != noReply || s.covered(i, rest): // else nothing has renewed, and the old lease counts on
				g.cover = rest
			}
			emit(move{step: step{who: i, does: "renews", at: a, how: v, told: true}, to: s, broken: broken})
			if v == refusal && m.without.secondOpinion.has(a) {
				m.abort(s, i, "is refused a renewal and aborts its call", emit)
			}
		})
	}
}

// renews reports whether the lease store's next renewal of gateway i's lease succeeds.
func (s *state) renews(i int, a leaseStore) bool {
	g := &s.gateways[i]
	return g.lock.has(a) && s.reachable(i, a) && !g.unavailable.has(a)
}

func (s *state) covered(i int, by set) bool {
	return by.has(redis) && s.renews(i, redis) || by.has(postgres) && s.renews(i, postgres)
}

// coverable reports whether a lease store would renew, or grant, gateway i's flight.
func (s *state) coverable(i int) bool {
	for _, a := range leaseStores {
		if s.reachable(i, a) && !s.gateways[i].unavailable.has(a) && s.owner(i, a) != others && s.stores[a].main.answer == nothing {
			return true
		}
	}
	return false
}

// abort hangs up before the lease ends, or as soon as the gateway resumes. Then it asks again: there may be an answer.
func (m *model) abort(s state, i int, does string, emit func(move)) {
	if m.without.abort {
		return
	}
	g := &s.gateways[i]
	broken := ""
	if !g.is.has(lapsed) && s.coverable(i) {
		broken = needless
	}
	if g.call == running {
		s.failed(i)
	} else if g.hand != expired {
		s.unacknowledged = true // the upstream had answered
	}
	g.leave(again)
	emit(move{step: step{who: i, does: does}, to: s, broken: broken})
}

// settlePostgres stores the answer and its ledger row in PostgreSQL.
func (m *model) settlePostgres(s state, i int, emit func(move)) {
	if g := &s.gateways[i]; g.is.has(lapsed) && m.without.lateStore {
		g.phase = telling
		emit(move{step: step{who: i, does: "finds its lease ended, and does not store"}, to: s})
		return
	}
	m.send(s, i, postgres, m.settle, func(v verdict, s state, broken string) {
		g := &s.gateways[i]
		g.got, g.missed, g.phase = 0, 0, settling2
		g.settled(postgres, v)
		if v != noReply {
			g.row = 0 // it went along
		}
		emit(move{step: step{who: i, does: "stores its answer in", at: postgres, how: v, told: true}, to: s, broken: broken})
	})
}

func (g *gateway) settled(a leaseStore, v verdict) {
	g.got.put(a, v == accepted)
	g.missed.put(a, v == noReply)
}

// settleRedis stores the answer in Redis, and puts the row into its outbox if PostgreSQL did not take it.
func (m *model) settleRedis(s state, i int, emit func(move)) {
	m.send(s, i, redis, m.settleWithRow, func(v verdict, s state, broken string) {
		g := &s.gateways[i]
		g.settled(redis, v)
		m.afterSettlement(g)
		emit(move{step: step{who: i, does: "stores its answer in", at: redis, how: v, told: true}, to: s, broken: broken})
	})
	if s.gateways[i].missed == only(postgres) && s.gateways[i].unavailable.has(redis) {
		m.timeOut(s, i, emit)
	}
}

// settleBeside is a hedged settlement: PostgreSQL takes its time, Redis is asked beside it, and stores the answer first. If
// PostgreSQL stored it first, all would be as if Redis had been asked after PostgreSQL's reply.
func (m *model) settleBeside(s state, i int, emit func(move)) {
	if m.without.beside || s.gateways[i].unavailable.has(postgres) {
		return
	}
	m.send(s, i, redis, m.settleWithRowToOutbox, func(v verdict, s state, broken string) {
		g := &s.gateways[i]
		g.got, g.missed, g.phase = 0, 0, settlingSlow
		g.settled(redis, v)
		emit(move{step: step{who: i, does: "stores its answer, while PostgreSQL takes its time, in", at: redis, how: v, told: true}, to: s, broken: broken})
	})
}

// settleSlowly is PostgreSQL's part of a hedged settlement. No client is answered before it is over.
func (m *model) settleSlowly(s state, i int, emit func(move)) {
	m.send(s, i, postgres, m.settle, func(v verdict, s state, broken string) {
		g := &s.gateways[i]
		g.settled(postgres, v)
		if v != noReply {
			g.row = 0 // it went along, and is in the ledger once
		}
		m.afterSettlement(g)
		emit(move{step: step{who: i, does: "stores its answer slowly in", at: postgres, how: v, told: true}, to: s, broken: broken})
	})
}

// afterSettlement decides what follows from both verdicts.
func (m *model) afterSettlement(g *gateway) {
	switch {
	case g.got != 0 || m.without.verdictOfStore && g.missed != both:
		g.phase = telling
	case g.missed == both:
		g.phase = settling
	default: // somebody else holds the flight, or has brought an answer
		g.round()
	}
	if m.without.handoff {
		g.missed = 0
	}
}

func (m *model) settleWithRow(s *state, i int, a leaseStore) (verdict, string) {
	if s.gateways[i].missed.has(postgres) {
		return m.settleWithRowToOutbox(s, i, a)
	}
	return m.settle(s, i, a)
}

func (m *model) settleWithRowToOutbox(s *state, i int, a leaseStore) (verdict, string) {
	s.gateways[i].row = inMemory | inOutbox
	return m.settle(s, i, a)
}

// Promises about what clients are told.
const (
	storedNowhere = "an answer is told that is stored nowhere"
	rowAtRisk     = "an answer is told whose ledger row is durable nowhere"
	rowLost       = "the ledger row of a told answer is lost"
)

func (m *model) tell(s state, i int, emit func(move)) {
	g := &s.gateways[i]
	if g.hand == expired {
		g.missed = 0
		s.land(i)
		emit(move{step: step{who: i, does: "finds its client gone"}, to: s})
		return
	}
	broken := ""
	switch {
	case !s.kept():
		broken = storedNowhere
	case g.missed.has(postgres) && g.row&(inOutbox|inOutboxCopy) == 0:
		broken = rowAtRisk
	}
	s.acknowledged = true
	s.land(i)
	emit(move{step: step{who: i, does: "answers its client"}, to: s, broken: broken})
}

// kept reports whether an answer is where a later request finds it, and one fault more does not take it away. It may also be on its
// way there: another gateway found it in Redis while PostgreSQL took its time, and then Redis became unavailable.
func (s *state) kept() bool {
	for i := range s.gateways {
		if g := &s.gateways[i]; g.works() && g.phase == settlingSlow && g.hand != expired {
			return true
		}
	}
	for i := range s.stores {
		st := &s.stores[i]
		if st.main.answer != nothing && (st.status <= stalled || st.copy.answer != nothing) {
			return true
		}
	}
	return false
}
