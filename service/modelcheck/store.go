package modelcheck

// verdict is a lease store's reply.
type verdict uint8

const (
	noReply verdict = iota
	refusal
	grant
	answered
	accepted // the answer is stored, or the lock is released
)

func (v verdict) String() string {
	return [...]string{"no reply", "refused", "granted", "has the answer", "done"}[v]
}

// owner is whose a lease store's lock is, as one gateway sees it.
type owner uint8

const (
	nobody owner = iota
	mine
	others
)

func (s *state) owner(i int, a leaseStore) owner {
	switch {
	case s.gateways[i].lock.has(a):
		return mine
	case s.locked(a):
		return others
	}
	return nobody
}

func (s *state) locked(a leaseStore) bool {
	for j := range s.gateways {
		if s.gateways[j].lock.has(a) {
			return true
		}
	}
	return s.stores[a].main.orphan
}

// unlock removes whatever lock the lease store holds.
func (s *state) unlock(a leaseStore) {
	for j := range s.gateways {
		g := &s.gateways[j]
		g.lock, g.orphan = g.lock.without(a), g.orphan.without(a)
	}
	s.stores[a].main.orphan = false
}

// Promises that storing can break.
const (
	staleWrite = "an older answer replaces a newer one"
	deadWrite  = "an answer is stored past its lifetime"
)

// operation is what one message does to the lease store's first copy. It also says which promise it broke, if any.
type operation func(s *state, i int, a leaseStore) (verdict, string)

// acquire takes or renews the flight, unless the answer is there.
func (m *model) acquire(s *state, i int, a leaseStore) (verdict, string) {
	if s.stores[a].main.answer != nothing && !m.without.recheck.has(a) {
		return answered, ""
	}
	switch o := s.owner(i, a); {
	case o == others, o == mine && a == postgres && m.without.readBack:
		return refusal, ""
	}
	s.gateways[i].lock = s.gateways[i].lock.with(a)
	return grant, ""
}

// release releases the lock if it is the gateway's own.
func (m *model) release(s *state, i int, a leaseStore) (verdict, string) {
	if s.owner(i, a) == mine || m.without.ownRelease {
		s.unlock(a)
	}
	return accepted, ""
}

// settle stores the answer in hand and ends the lease.
func (m *model) settle(s *state, i int, a leaseStore) (verdict, string) {
	return m.store(s, a, s.gateways[i].hand, s.owner(i, a))
}

// store stores an answer under the flight's own lock, or where there is neither lock nor answer.
func (m *model) store(s *state, a leaseStore, x answer, whose owner) (verdict, string) {
	c := &s.stores[a].main
	mayStore := whose == mine || whose == nobody && c.answer == nothing || m.without.ownSettlement
	if !mayStore || x == expired && !m.without.ageFromCall {
		return refusal, ""
	}
	broken := ""
	switch {
	case x == expired:
		broken = deadWrite
	case c.answer > x:
		broken = staleWrite
	}
	c.answer = x
	s.unlock(a)
	return accepted, broken
}

// disown notes that no flight that is over has a lock there.
func (s *state) disown(a leaseStore) {
	for j := range s.gateways {
		s.gateways[j].orphan = s.gateways[j].orphan.without(a)
	}
}

// replicate brings the second copy up to date.
func (s *state) replicate(a leaseStore) {
	for j := range s.gateways {
		g := &s.gateways[j]
		g.copied.put(a, g.lock.has(a))
		if a == redis {
			g.row.put(inOutboxCopy, g.row&inOutbox != 0)
		}
	}
	s.stores[a].copy = s.stores[a].main
}

// fallBack makes the second copy the only one.
func (s *state) fallBack(a leaseStore) {
	for j := range s.gateways {
		g := &s.gateways[j]
		g.lock.put(a, g.copied.has(a))
		if a == redis {
			g.row.put(inOutbox, g.row&inOutboxCopy != 0)
		}
		g.late, g.freed = g.late.without(a), g.freed.without(a) // they were on their way to the copy that is gone
	}
	s.stores[a].lateOrphan = false
	s.stores[a].main = s.stores[a].copy
	if !s.stores[a].main.orphan {
		s.disown(a)
	}
}

// forget empties both copies.
func (s *state) forget(a leaseStore) {
	s.stores[a].copy = content{}
	for j := range s.gateways {
		s.gateways[j].copied = s.gateways[j].copied.without(a)
		s.gateways[j].row &^= inOutboxCopy
	}
	s.fallBack(a)
}

// send is one message of gateway i with all that can become of it. then gets the verdict, which is noReply whether or not
// the operation happened.
func (m *model) send(s state, i int, a leaseStore, does operation, then func(verdict, state, string)) {
	switch {
	case s.gateways[i].unavailable.has(a):
		then(noReply, s, "")
	case s.reachable(i, a):
		v, broken := does(&s, i, a)
		m.acknowledge(&s, a, v)
		then(v, s, broken)
	default:
		m.sendInVain(s, i, a, does, then)
	}
}

// acknowledge is what has happened by the time a healthy lease store replies: PostgreSQL's standby has the commit; Redis's
// replica has the lock, which WAIT waits for, but perhaps nothing else.
func (m *model) acknowledge(s *state, a leaseStore, v verdict) {
	if a == postgres || v == grant && !m.without.wait {
		s.replicate(a)
	}
}

// sendInVain is a message to a lease store that acknowledges nothing, at least not to this gateway. A write may not happen,
// or happen in one copy, or in both, or later.
func (m *model) sendInVain(s state, i int, a leaseStore, does operation, then func(verdict, state, string)) {
	status, before := s.stores[a].status, s
	g := &s.gateways[i]
	g.unavailable = g.unavailable.with(a)
	then(noReply, s, "")
	if status == away {
		return
	}
	happened := s
	v, broken := does(&happened, i, a)
	if v == refusal || v == answered {
		if !g.cut.has(a) && (status == stalled || a == redis) {
			then(v, before, "") // to read, the first copy is enough
		}
		return
	}
	if status != up {
		then(noReply, happened, broken)
	}
	if status != stalled {
		happened.replicate(a)
		then(noReply, happened, broken)
	}
	switch {
	case v == grant:
		g.late = g.late.with(a)
	case g.phase == releasingPartial:
		g.freed = g.freed.with(a)
	default:
		return
	}
	then(noReply, s, "")
}
