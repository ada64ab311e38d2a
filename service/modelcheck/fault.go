package modelcheck

// fault emits the faults that may still happen.
func (m *model) fault(s state, emit func(move)) {
	if s.faults == 0 {
		return
	}
	s.faults--
	if !s.spent.has(ofGateway) {
		g := s
		g.spent |= ofGateway
		for i := range g.gateways {
			m.faultOfGateway(g, i, emit)
		}
	}
	if m.allowed.has(loss) && !s.spent.has(ofStore) {
		s.spent |= ofStore
		m.faultOfStore(s, emit)
	}
}

func (m *model) faultOfStore(s state, emit func(move)) {
	fall := func(a leaseStore, to status, does string) {
		if s.stores[a].status != away {
			t := s
			t.stores[a].status = to
			emit(move{step: step{who: environment, does: does, at: a, told: true}, kind: faulty, to: t})
		}
	}
	fall(redis, down, "becomes unavailable")
	fall(postgres, down, "becomes unavailable")
	fall(postgres, stalled, "loses its standby and stalls")
}

// faultOfGateway leaves out faults that change nothing.
func (m *model) faultOfGateway(s state, i int, emit func(move)) {
	g := &s.gateways[i]
	if g.phase >= dead || g.phase == idle && g.row == 0 && g.owes == 0 {
		return
	}
	if m.allowed.has(crash) {
		t := s
		broken := t.crash(i)
		emit(move{step: step{who: i, does: "crashes"}, kind: faulty, to: t, broken: broken})
	}
	if m.allowed.has(pause) && g.phase != idle {
		t := s
		t.gateways[i].is |= paused
		t.duplicatesAllowed++
		emit(move{step: step{who: i, does: "pauses"}, kind: faulty, to: t})
	}
	if m.allowed.has(partition) && g.phase != idle {
		m.cutOff(s, i, emit)
	}
}

func (m *model) cutOff(s state, i int, emit func(move)) {
	for from, does := range []string{1: "is cut off from Redis", 2: "is cut off from PostgreSQL", 3: "is cut off from both lease stores"} {
		t := s
		t.gateways[i].cut = set(from)
		switch set(from) {
		case 0:
			continue
		case both:
			t.gateways[i].is |= partitioned
			t.duplicatesAllowed++
		}
		emit(move{step: step{who: i, does: does}, kind: faulty, to: t})
	}
}

// crash ends the process. Its call goes on: the upstream does not learn of a machine's death.
func (s *state) crash(i int) (broken string) {
	g := &s.gateways[i]
	row := g.row &^ inMemory
	if g.phase.settles() || g.phase == telling && g.got != 0 {
		row = 0 // nobody was told
	} else if g.row != 0 && row == 0 {
		broken = rowLost
	}
	if g.call == running || g.inHand() && g.hand != expired {
		s.duplicatesAllowed++
		s.unacknowledged = s.unacknowledged || g.call != running
	}
	call := g.call
	s.land(i)
	*g = gateway{phase: dead, row: row}
	if call == running {
		g.call = running
	}
	return broken
}

// heal emits the ends of faults.
func (m *model) heal(s state, emit func(move)) {
	for i := range s.gateways {
		g := &s.gateways[i]
		if g.is.has(paused) {
			m.resume(s, i, emit)
		}
		if g.cut != 0 {
			t := s
			t.gateways[i].cut = 0
			sort := comeback
			if g.cut == both {
				sort = 0 // without it there is no answer to be had
			}
			emit(move{step: step{who: i, does: "is connected again"}, kind: sort, to: t})
		}
		for _, a := range leaseStores {
			m.hear(s, i, a, emit)
		}
	}
	for _, a := range leaseStores {
		m.comeback(s, a, emit)
	}
}

// resume lets a gateway go on. What it had asked when it was paused has timed out meanwhile, and counts as no reply.
func (m *model) resume(s state, i int, emit func(move)) {
	s.gateways[i].is &^= paused
	for unavailable, does := range []string{"resumes", "resumes, and takes Redis for unavailable", "resumes, and takes PostgreSQL for unavailable",
		"resumes, and takes both lease stores for unavailable"} {
		t := s
		t.gateways[i].unavailable |= set(unavailable)
		if unavailable == 0 || t != s {
			emit(move{step: step{who: i, does: does}, to: t})
		}
	}
}

// hear is the end of an outage, as one gateway sees it. What the gateway knew of an outage of the other lease store is outdated by
// then. So are the replies, and missing replies, of a round that is not over.
func (m *model) hear(s state, i int, a leaseStore, emit func(move)) {
	g := &s.gateways[i]
	if !g.unavailable.has(a) || !s.reachable(i, a) || !g.works() {
		return
	}
	g.unavailable = g.unavailable.without(a)
	if !m.without.resetBoth {
		g.unavailable = 0
	}
	if g.phase == acquireLast && g.got == 0 && !m.without.newRound {
		g.round()
	}
	emit(move{step: step{who: i, does: "hears again from " + a.String()}, to: s})
}

// comeback is how a lease store's outage ends: the lease store is as it was, or its second copy has taken the place of the first.
// Redis, which keeps nothing on disk, may also come back empty.
func (m *model) comeback(s state, a leaseStore, emit func(move)) {
	was := s.stores[a].status
	if was != stalled && was != down {
		return
	}
	s.stores[a].status = up
	back := func(t state, does string) {
		emit(move{step: step{who: environment, does: does, at: a, told: true}, kind: comeback, to: t, broken: t.rowsLost(&s)})
	}
	same, next, empty := s, s, s
	if a == postgres {
		same.replicate(a)
	}
	back(same, "is back as it was")
	if was == stalled {
		return
	}
	next.fallBack(a)
	back(next, "is back after a failover")
	if a == redis && m.allowed.has(amnesia) {
		empty.forget(a)
		back(empty, "is back with nothing")
	}
}

// rowsLost reports whether a row is nowhere any more that was somewhere before.
func (s *state) rowsLost(before *state) string {
	for i := range s.gateways {
		if s.gateways[i].row == 0 && before.gateways[i].row != 0 {
			return rowLost
		}
	}
	return ""
}
