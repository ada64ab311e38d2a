package protocol

// order is the order in which a gateway asks.
func (m *model) order(i int) (first, last authority) {
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
	case askFirst:
		m.askFirst(s, i, emit)
	case askLast:
		m.askLast(s, i, emit)
	case yielding:
		m.yield(s, i, emit)
	case giving:
		m.give(s, i, emit)
	case granted:
		m.begin(s, i, emit)
	case calling:
		m.hold(s, i, emit)
	case settling:
		m.settlePostgres(s, i, emit)
		m.settleBeside(s, i, emit)
	case settling2:
		m.settleRedis(s, i, emit)
	case settlingSlow:
		m.settleSlowly(s, i, emit)
	case telling:
		m.tell(s, i, emit)
	case dropping, dropping2:
		m.drop(s, i, emit)
	}
}

// round begins a round of asking. An answer in hand stays there: it is stored instead of a call.
func (g *gateway) round() {
	g.phase, g.got, g.missed, g.cover = askFirst, 0, 0, 0
	g.is &^= lapsed | again
	if g.hand == expired {
		g.hand = nothing
	}
	if g.hand == nothing {
		g.is &^= excused
	}
}

// askFirst asks the first authority. A refusal ends the round; but an answer that the other one has does not wait for a lock
// to end.
func (m *model) askFirst(s state, i int, emit func(move)) {
	first, last := m.order(i)
	m.send(s, i, first, m.acquire, func(v verdict, s state, broken string) {
		g := &s.gateways[i]
		switch {
		case v == answered:
			s.adopt(i, first, telling)
		case v == refusal && !m.without.lookBeside && s.reads(i, last):
			s.adopt(i, last, telling)
		case v == refusal || v == silence && m.without.silenceAsSilence == refusal:
			g.round()
		case v == grant || m.without.silenceAsSilence == grant:
			g.got, g.cover, g.phase = only(first), only(first), askLast
		default:
			g.phase = askLast
		}
		emit(move{step: step{who: i, does: "asks", at: first, how: v, told: true}, to: s, broken: broken})
	})
	m.giveUp(s, i, emit)
}

// reads says whether gateway i finds an answer there.
func (s *state) reads(i int, a authority) bool {
	g := &s.gateways[i]
	return s.stores[a].status <= stalled && !g.cut.has(a) && !g.silent.has(a) && s.stores[a].main.answer != nothing
}

// adopt takes the authority's answer for the request's.
func (s *state) adopt(i int, a authority, next phase) {
	g, found := &s.gateways[i], s.stores[a].main.answer
	if g.hand != nothing && g.hand != expired && g.hand != found {
		s.loose = true // its own answer is not told
	}
	g.hand, g.got, g.phase = found, 0, next
}

// askLast asks the other authority. The call is allowed if nobody refused and somebody granted.
func (m *model) askLast(s state, i int, emit func(move)) {
	_, last := m.order(i)
	m.send(s, i, last, m.acquire, func(v verdict, s state, broken string) {
		g := &s.gateways[i]
		switch {
		case v == answered:
			s.adopt(i, last, giving)
		case v == grant || v == silence && m.without.silenceAsSilence == grant:
			g.got, g.cover, g.phase = g.got.with(last), g.cover.with(last), granted
		case v == silence && g.got != 0 && m.without.silenceAsSilence != refusal:
			g.phase = granted
		case g.got != 0 && !m.without.yield:
			g.phase = yielding
		default:
			g.round()
		}
		emit(move{step: step{who: i, does: "asks", at: last, how: v, told: true}, to: s, broken: broken})
	})
	if m.without.ownDeadline && s.gateways[i].got != 0 {
		s.gateways[i].phase = granted
		emit(move{step: step{who: i, does: "runs out of time, and takes that for silence of", at: last, how: silence, told: true}, to: s})
	}
}

// yield gives back what the first authority granted, for the sake of whoever holds the other one.
func (m *model) yield(s state, i int, emit func(move)) {
	first, _ := m.order(i)
	m.send(s, i, first, m.release, func(v verdict, s state, broken string) {
		s.gateways[i].round()
		emit(move{step: step{who: i, does: "yields", at: first, how: v, told: true}, to: s, broken: broken})
	})
}

// give brings the other authority's answer to the first.
func (m *model) give(s state, i int, emit func(move)) {
	first, _ := m.order(i)
	m.send(s, i, first, m.settle, func(v verdict, s state, broken string) {
		s.gateways[i].phase = telling
		emit(move{step: step{who: i, does: "hands the answer to", at: first, how: v, told: true}, to: s, broken: broken})
	})
}

// giveUp is the request's deadline.
func (m *model) giveUp(s state, i int, emit func(move)) {
	if !m.deadlines {
		return
	}
	g := &s.gateways[i]
	s.loose = s.loose || g.inHand() && g.hand != expired
	g.leave(0)
	emit(move{step: step{who: i, does: "runs out of time"}, kind: failure, to: s})
}

// leave begins to give the flight up. Nothing renews it any more.
func (g *gateway) leave(then marks) {
	g.phase, g.call, g.cover, g.hand, g.got, g.missed = dropping, noCall, 0, nothing, 0, 0
	g.is = g.is&^(extra|again) | then
}

const refusedInVain = "a request is refused that could have asked again"

// drop gives the flight up at both authorities, whatever they said when they were asked.
func (m *model) drop(s state, i int, emit func(move)) {
	at := redis
	if s.gateways[i].phase == dropping2 {
		at = postgres
	}
	release := m.release
	if at == postgres && m.without.releaseOfBoth {
		release = func(*state, int, authority) (verdict, string) { return accepted, "" }
	}
	m.send(s, i, at, release, func(v verdict, s state, broken string) {
		g := &s.gateways[i]
		asksAgain := g.is.has(again)
		switch {
		case at == redis:
			g.phase = dropping2
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
	for _, a := range authorities {
		st := &s.stores[a]
		st.main.orphan = st.main.orphan || g.lock.has(a)
		st.copy.orphan = st.copy.orphan || g.copied.has(a)
		st.lateOrphan = st.lateOrphan || g.late.has(a)
	}
	next := gateway{silent: g.silent, cut: g.cut, row: g.row, owes: g.owes, due: g.due, orphan: g.orphan}
	if g.silent != 0 {
		next.is = g.is & outcast
	}
	if g.missed != 0 {
		next.owes, next.due, next.orphan = g.missed, g.hand, g.missed&g.lock
	}
	*g = next
}
