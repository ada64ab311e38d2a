package modelcheck

// order is the order in which a gateway asks.
func (m *model) order(i int) (first, last leaseStore) {
	if m.without.order && i == 1 {
		return postgres, redis
	}
	return redis, postgres
}

// gateway emits the steps that gateway i can take by itself.
func (m *model) gateway(s state, i int, emit func(move)) {
	switch s.gateways[i].phase {
	case idle:
		s.gateways[i].round()
		emit(move{step: step{who: i, does: "gets a request"}, kind: arrival, to: s})
	case acquireFirst:
		m.acquireFirst(s, i, emit)
	case acquireLast:
		m.acquireLast(s, i, emit)
	case releasingPartial:
		m.releasePartial(s, i, emit)
	case backfilling:
		m.backfill(s, i, emit)
	case granted:
		m.begin(s, i, emit)
	case calling:
		m.duringCall(s, i, emit)
	case settling:
		m.settlePostgres(s, i, emit)
		m.settleBeside(s, i, emit)
	case settling2:
		m.settleRedis(s, i, emit)
	case settlingSlow:
		m.settleSlowly(s, i, emit)
	case telling:
		m.tell(s, i, emit)
	case releasing, releasing2:
		m.releaseAll(s, i, emit)
	}
}

// round begins a round of asking. An answer in hand stays there: it is stored instead of a call.
func (g *gateway) round() {
	g.phase, g.got, g.missed, g.cover = acquireFirst, 0, 0, 0
	g.is &^= lapsed | again
	if g.hand == expired {
		g.hand = nothing
	}
	if g.hand == nothing {
		g.is &^= excused
	}
}

// acquireFirst asks the first lease store. A refusal ends the round; but an answer that the other one has does not wait for a lock
// to end.
func (m *model) acquireFirst(s state, i int, emit func(move)) {
	first, last := m.order(i)
	m.send(s, i, first, m.acquire, func(v verdict, s state, broken string) {
		g := &s.gateways[i]
		switch {
		case v == answered:
			s.adopt(i, first, telling)
		case v == refusal && !m.without.lookBeside && s.reads(i, last):
			s.adopt(i, last, telling)
		case v == refusal || v == noReply && m.without.noReplyAs == refusal:
			g.round()
		case v == grant || m.without.noReplyAs == grant:
			g.got, g.cover, g.phase = only(first), only(first), acquireLast
		default:
			g.phase = acquireLast
		}
		emit(move{step: step{who: i, does: "asks", at: first, how: v, told: true}, to: s, broken: broken})
	})
	m.timeOut(s, i, emit)
}

// reads reports whether gateway i finds an answer there.
func (s *state) reads(i int, a leaseStore) bool {
	g := &s.gateways[i]
	return s.stores[a].status <= stalled && !g.cut.has(a) && !g.unavailable.has(a) && s.stores[a].main.answer != nothing
}

// adopt takes the lease store's answer for the request's.
func (s *state) adopt(i int, a leaseStore, next phase) {
	g, found := &s.gateways[i], s.stores[a].main.answer
	if g.hand != nothing && g.hand != expired && g.hand != found {
		s.unacknowledged = true // its own answer is not told
	}
	g.hand, g.got, g.phase = found, 0, next
}

// acquireLast asks the other lease store. The call is allowed if nobody refused and somebody granted.
func (m *model) acquireLast(s state, i int, emit func(move)) {
	_, last := m.order(i)
	m.send(s, i, last, m.acquire, func(v verdict, s state, broken string) {
		g := &s.gateways[i]
		switch {
		case v == answered:
			s.adopt(i, last, backfilling)
		case v == grant || v == noReply && m.without.noReplyAs == grant:
			g.got, g.cover, g.phase = g.got.with(last), g.cover.with(last), granted
		case v == noReply && g.got != 0 && m.without.noReplyAs != refusal:
			g.phase = granted
		case g.got != 0 && !m.without.releasePartial:
			g.phase = releasingPartial
		default:
			g.round()
		}
		emit(move{step: step{who: i, does: "asks", at: last, how: v, told: true}, to: s, broken: broken})
	})
	if m.without.ownDeadline && s.gateways[i].got != 0 {
		s.gateways[i].phase = granted
		emit(move{step: step{who: i, does: "runs out of time, and takes that for no reply of", at: last, how: noReply, told: true}, to: s})
	}
}

// releasePartial releases what the first lease store granted, for the sake of whoever holds the other one.
func (m *model) releasePartial(s state, i int, emit func(move)) {
	first, _ := m.order(i)
	m.send(s, i, first, m.release, func(v verdict, s state, broken string) {
		s.gateways[i].round()
		emit(move{step: step{who: i, does: "yields", at: first, how: v, told: true}, to: s, broken: broken})
	})
}

// backfill brings the other lease store's answer to the first.
func (m *model) backfill(s state, i int, emit func(move)) {
	first, _ := m.order(i)
	m.send(s, i, first, m.settle, func(v verdict, s state, broken string) {
		s.gateways[i].phase = telling
		emit(move{step: step{who: i, does: "hands the answer to", at: first, how: v, told: true}, to: s, broken: broken})
	})
}

// timeOut is the request's deadline.
func (m *model) timeOut(s state, i int, emit func(move)) {
	if !m.deadlines {
		return
	}
	g := &s.gateways[i]
	s.unacknowledged = s.unacknowledged || g.inHand() && g.hand != expired
	g.leave(0)
	emit(move{step: step{who: i, does: "runs out of time"}, kind: failure, to: s})
}

// leave begins to give the flight up. Nothing renews it any more.
func (g *gateway) leave(then marks) {
	g.phase, g.call, g.cover, g.hand, g.got, g.missed = releasing, noCall, 0, nothing, 0, 0
	g.is = g.is&^(duplicate|again) | then
}

const refusedInVain = "a request is refused that could have asked again"

// releaseAll releases the flight in both lease stores, whatever they said when they were asked.
func (m *model) releaseAll(s state, i int, emit func(move)) {
	at := redis
	if s.gateways[i].phase == releasing2 {
		at = postgres
	}
	release := m.release
	if at == postgres && m.without.releaseOfBoth {
		release = func(*state, int, leaseStore) (verdict, string) { return accepted, "" }
	}
	m.send(s, i, at, release, func(v verdict, s state, broken string) {
		g := &s.gateways[i]
		asksAgain := g.is.has(again)
		switch {
		case at == redis:
			g.phase = releasing2
		case asksAgain && m.without.secondTry:
			s.land(i)
			broken = refusedInVain
		default:
			s.land(i)
			if asksAgain {
				s.gateways[i].round()
			}
		}
		emit(move{step: step{who: i, does: "gives up", at: at, how: v, told: true}, to: s, broken: broken})
	})
}

// land ends the flight: what it leaves behind is nobody's.
func (s *state) land(i int) {
	g := &s.gateways[i]
	for _, a := range leaseStores {
		st := &s.stores[a]
		st.main.orphan = st.main.orphan || g.lock.has(a)
		st.copy.orphan = st.copy.orphan || g.copied.has(a)
		st.lateOrphan = st.lateOrphan || g.late.has(a)
	}
	next := gateway{unavailable: g.unavailable, cut: g.cut, row: g.row, owes: g.owes, due: g.due, orphan: g.orphan}
	if g.unavailable != 0 {
		next.is = g.is & partitioned
	}
	if g.missed != 0 {
		next.owes, next.due, next.orphan = g.missed, g.hand, g.missed&g.lock
	}
	*g = next
}
