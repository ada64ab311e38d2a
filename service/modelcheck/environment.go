package modelcheck

// environment emits what happens by itself.
func (m *model) environment(s state, emit func(move)) {
	for i := range s.gateways {
		m.lapse(s, i, emit)
		m.answerUnseen(s, i, emit)
		m.book(s, i, emit)
		for _, a := range leaseStores {
			m.handOff(s, i, a, emit)
			m.lateAcquisition(s, i, a, emit)
			m.lateRelease(s, i, a, emit)
			m.endLease(s, i, a, emit)
		}
	}
	for _, a := range leaseStores {
		m.lateOrphan(s, a, emit)
		m.endOrphan(s, a, emit)
	}
	m.catchUp(s, emit)
	m.expire(s, emit)
}

// lapse is the end of a holder's own view of its lease, which is earlier than the end of any lease in it. Renewal and abort
// keep it from happening to a gateway that runs.
func (m *model) lapse(s state, i int, emit func(move)) {
	g := &s.gateways[i]
	if g.is.has(lapsed) || g.cover == 0 {
		return
	}
	stuck := g.is.has(paused)
	switch g.phase {
	case calling:
		stuck = stuck || m.without.abort && (m.without.renewal || !s.coverable(i))
	case settling, settling2, settlingSlow:
		stuck = stuck || !s.coverable(i)
	}
	if !stuck {
		return
	}
	if g.is.has(paused) || g.phase != calling {
		g.is |= excused
	}
	g.is |= lapsed
	emit(move{step: step{who: i, does: "reaches the end of its lease"}, to: s})
}

// answerUnseen is the end of a call whose caller does not see it.
func (m *model) answerUnseen(s state, i int, emit func(move)) {
	g := &s.gateways[i]
	switch {
	case g.call != running || g.works():
		return
	case g.phase == dead:
		g.call, s.unacknowledged = noCall, true
	default:
		g.call, g.hand = done, s.newest()
	}
	emit(move{step: step{who: i, does: "is answered, and does not see it"}, to: s})
}

// book brings a ledger row to PostgreSQL: the gateway's own, or one that another gateway finds in the outbox.
func (m *model) book(s state, i int, emit func(move)) {
	g := &s.gateways[i]
	untold := g.phase.settles() || g.phase == telling && g.got != 0
	if g.row == 0 || s.stores[postgres].status != up || untold {
		return
	}
	g.row = 0
	emit(move{step: step{who: i, does: "has its row booked"}, to: s})
}

// handOff brings an answer that a client has already to the lease store that missed it.
func (m *model) handOff(s state, i int, a leaseStore, emit func(move)) {
	g := &s.gateways[i]
	if !g.owes.has(a) || !g.works() || !s.reachable(i, a) || g.unavailable.has(a) {
		return
	}
	whose := nobody
	if g.orphan.has(a) {
		whose = mine
	} else if s.locked(a) {
		whose = others
	}
	v, broken := m.store(&s, a, g.due, whose)
	g.owes, g.orphan = g.owes.without(a), g.orphan.without(a)
	if g.owes == 0 {
		g.due = nothing
	}
	m.acknowledge(&s, a, v)
	emit(move{step: step{who: i, does: "brings the answer late to", at: a, how: v, told: true}, to: s, broken: broken})
}

// lateAcquisition is one that happens after the gateway has given up waiting for it.
func (m *model) lateAcquisition(s state, i int, a leaseStore, emit func(move)) {
	g := &s.gateways[i]
	if !g.late.has(a) || s.stores[a].status != up {
		return
	}
	g.late = g.late.without(a)
	v, broken := m.acquire(&s, i, a)
	m.acknowledge(&s, a, v)
	emit(move{step: step{who: i, does: "is late heard asking by", at: a, how: v, told: true}, to: s, broken: broken})
}

func (m *model) lateRelease(s state, i int, a leaseStore, emit func(move)) {
	g := &s.gateways[i]
	if !g.freed.has(a) || s.stores[a].status != up {
		return
	}
	g.freed = g.freed.without(a)
	v, broken := m.release(&s, i, a)
	m.acknowledge(&s, a, v)
	emit(move{step: step{who: i, does: "is late heard releasingPartial by", at: a, how: v, told: true}, to: s, broken: broken})
}

// lateOrphan is a late acquisition whose flight is over.
func (m *model) lateOrphan(s state, a leaseStore, emit func(move)) {
	st := &s.stores[a]
	if !st.lateOrphan || st.status != up {
		return
	}
	st.lateOrphan = false
	if !s.locked(a) && (st.main.answer == nothing || m.without.recheck.has(a)) {
		st.main.orphan = true
		m.acknowledge(&s, a, grant)
	}
	emit(move{step: step{who: environment, does: "late hears from a flight that is over", at: a, told: true}, to: s})
}

// endLease is the end of a lease, in both copies. It does not come while its holder's own view of it lasts.
func (m *model) endLease(s state, i int, a leaseStore, emit func(move)) {
	g := &s.gateways[i]
	held := g.lock.has(a) || g.copied.has(a)
	if !held || g.cover.has(a) && !g.is.has(lapsed) || a == postgres && m.without.takeover {
		return
	}
	g.lock, g.copied = g.lock.without(a), g.copied.without(a)
	emit(move{step: step{who: i, does: "loses by time its lock in " + a.String()}, kind: lease, to: s})
}

func (m *model) endOrphan(s state, a leaseStore, emit func(move)) {
	st := &s.stores[a]
	if !st.main.orphan && !st.copy.orphan || a == postgres && m.without.takeover {
		return
	}
	st.main.orphan, st.copy.orphan = false, false
	s.disown(a)
	emit(move{step: step{who: environment, does: "ends the lease of a flight that is over", at: a, told: true}, kind: lease, to: s})
}

// catchUp is Redis's replication, which nobody waits for.
func (m *model) catchUp(s state, emit func(move)) {
	t := s
	t.replicate(redis)
	if s.stores[redis].status == up && t != s {
		emit(move{step: step{who: environment, does: "brings its replica up to date", at: redis, told: true}, to: t})
	}
}

// expire is the end of a TTL. It is longer than anything that a gateway does in one go, unless the gateway is paused.
func (m *model) expire(s state, emit func(move)) {
	if s.expiries == 0 || !s.aged() {
		return
	}
	s.expiries--
	s.acknowledged, s.unacknowledged = false, false
	for i := range s.stores {
		s.stores[i].main.answer, s.stores[i].copy.answer = nothing, nothing
	}
	for i := range s.gateways {
		g := &s.gateways[i]
		g.owes, g.orphan, g.due = 0, 0, nothing
		if g.hand != nothing {
			g.hand = expired
		}
	}
	emit(move{step: step{who: environment, does: "lets a lifetime pass"}, kind: failure, to: s})
}

// aged reports whether there is something to expire, and nobody in the middle of something shorter than a TTL.
func (s *state) aged() bool {
	for i := range s.gateways {
		g := &s.gateways[i]
		if g.call == running || g.works() && (g.hand != nothing || g.call != noCall) {
			return false
		}
	}
	return s.acknowledged || s.unacknowledged
}
