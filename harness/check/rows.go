package check

import (
	"strings"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// LedgerComplete: the service's ledger in its database agrees with the client's record and with the upstream's bill. Every
// answered request has exactly one row, with its tenant, its key and the call that its answer names; any other request has
// at most one; no row belongs to a request that was never sent. Every billed upstream call has exactly one row of kind
// call, with its price; every other row costs nothing. Requests of the warm-up have rows too, and are counted apart.
//
// A certified fault explains two things, each counted apart. A billed call may lack its row if its caller was killed
// meanwhile, or stood still when the call ended and until the call's timeout had passed, so that it never took the answer. A
// request may have two rows, of two calls, if it was under way while a node of the service was killed, frozen or cut off from
// the load balancer, one row is of that node, and the load balancer's log says that the request was sent on to the node that
// the other one is of; or if both are of a node that was frozen, or cut off from all that the replicas share, for longer than
// the lease, one is of its own call, made before, and the other of a call that somebody else made meanwhile: its own answer
// was overtaken, and is billed all the same.
func LedgerComplete() Check { return complete("LedgerComplete", ledgerComplete) }

func ledgerComplete(run *evidence.Run) Verdict {
	b := newBooks(run)
	for w := range run.Rows() {
		b.row(w)
	}
	for h := range run.Hops() {
		b.hops[h.RequestID] = h
	}
	b.requests(run)
	b.bill()
	figures := b.figures()
	switch {
	case b.upstream.flaw != "":
		return unknown("%s", b.upstream.flaw).with(figures)
	case b.rows == 0:
		return unknown("there is no ledger of the service").with(figures)
	case len(b.clients) == 0:
		return unknown("there is no record of requests").with(figures)
	case b.why.sum() > 0:
		return fail(figures, b.culprits, "%d contradictions: %s; the first: %s", b.why.sum(), b.why, b.first)
	case b.unproven != "":
		return unknown("%s", b.unproven).with(figures)
	}
	return pass(figures, "%d rows account for every answer and every billed call", b.rows)
}

// client is what the books need to know of a request.
type client struct {
	seq                 uint64
	answered, sent      bool
	tenant, key, callID string
	underWay            span
	rows                []evidence.Row
}

// books brings the three records together.
type books struct {
	upstream   ledger
	clients    map[string]*client // by request id
	warm       map[string]int     // rows by request id of the warm-up
	calls      map[string]int     // rows of kind call by upstream call
	hops       map[string]evidence.Hop
	kills      []disturbance
	freezes    []disturbance
	isolations []disturbance
	struck     []disturbance // what took nodes of the service away
	timeout    time.Duration // of an upstream call; 0 if the plan lacks it

	lease time.Duration // of the lock that a caller holds; 0 if the plan lacks it

	rows, killed, frozen, repeated, overtook int
	booked, billed                           int64
	unproven                                 string // why it is not known whether a fault explains something
	why                                      tally
	first                                    string
	culprits                                 []uint64
}

func newBooks(run *evidence.Run) *books {
	b := &books{upstream: readLedger(run), clients: map[string]*client{}, warm: map[string]int{}, calls: map[string]int{},
		hops: map[string]evidence.Hop{}, kills: disturbances(run, evidence.FaultKill), freezes: disturbances(run, evidence.FaultFreeze),
		isolations: isolations(run), struck: takenAway(run), why: tally{}}
	b.timeout, _ = run.Param(evidence.ParamLLMTimeout)
	b.lease, _ = run.Param(evidence.ParamLease)
	for c := range run.Calls() {
		b.clients[c.ID] = &client{seq: c.Seq, answered: c.Outcome == evidence.OK, sent: c.Outcome != evidence.Unsent,
			tenant: c.Tenant, key: c.Key, callID: c.Answer.CallID, underWay: span{c.Sent, c.End}}
	}
	return b
}

func (b *books) object(c *client, what, id string) {
	b.why[what]++
	if b.first == "" {
		b.first = id + ": " + what
	}
	if c != nil {
		b.culprits = append(b.culprits, c.seq)
	}
}

// row books one row.
func (b *books) row(w evidence.Row) {
	b.rows++
	b.booked += w.Cost
	b.price(w)
	c := b.clients[w.RequestID]
	switch {
	case c == nil && strings.HasPrefix(w.RequestID, evidence.WarmupPrefix):
		if b.warm[w.RequestID]++; b.warm[w.RequestID] > 1 {
			b.object(nil, "more than one row", w.RequestID)
		}
	case c == nil || !c.sent:
		b.object(c, "row of a request that was never sent", w.RequestID)
	default:
		b.match(c, w)
	}
}

func (b *books) match(c *client, w evidence.Row) {
	c.rows = append(c.rows, w)
	switch {
	case w.Tenant != c.tenant:
		b.object(c, "row of another tenant", w.RequestID)
	case w.Key != c.key:
		b.object(c, "row of another key", w.RequestID)
	}
}

// price compares a row's cost with the upstream's.
func (b *books) price(w evidence.Row) {
	u, known := b.upstream.call(w.CallID)
	switch {
	case !known:
		b.object(b.clients[w.RequestID], "row of a call that the upstream never had", w.RequestID)
	case w.Kind == evidence.RowCall:
		b.calls[w.CallID]++
		if !u.Billed || w.Cost != u.Cost {
			b.object(b.clients[w.RequestID], "cost is not what was billed", w.RequestID)
		}
	case w.Kind != evidence.RowHit:
		b.object(b.clients[w.RequestID], "row of an unknown kind", w.RequestID)
	case w.Cost != 0:
		b.object(b.clients[w.RequestID], "hit that costs something", w.RequestID)
	}
}

// requests judges how many rows each request has, and of which calls.
func (b *books) requests(run *evidence.Run) {
	for call := range run.Calls() {
		c := b.clients[call.ID]
		switch {
		case len(c.rows) == 0 && c.answered:
			b.object(c, "answer without a row", call.ID)
		case len(c.rows) == 1 && c.answered && c.rows[0].CallID != c.callID:
			b.object(c, "row of another call than the answer's", call.ID)
		case len(c.rows) > 1 && !b.overtaken(c) && !b.sentOn(c, call.ID):
			b.object(c, "more than one row", call.ID)
		}
	}
}

// sentOn says whether a fault explains that a request has two rows. If the log lacks the request, it may.
func (b *books) sentOn(c *client, id string) bool {
	if len(c.rows) != 2 || c.rows[0].CallID == c.rows[1].CallID {
		return false
	}
	for i, lost := range c.rows {
		told := c.rows[1-i]
		if c.answered && told.CallID != c.callID || !b.hit(lost.Replica, c.underWay) || lost.Replica == told.Replica {
			continue
		}
		switch h, logged := b.hops[id]; {
		case !logged:
			b.unproven = "request " + id + " has rows of two calls, and the load balancer's log does not say whether it was repeated"
			return true
		case h.Server == told.Replica && (h.Redispatched || h.Retries > 0):
			b.repeated++
			return true
		}
	}
	return false
}

// overtaken says whether a freeze or a cut explains that a request has the row of its own call and that of another one's.
func (b *books) overtaken(c *client) bool {
	if len(c.rows) != 2 || c.rows[0].Replica != c.rows[1].Replica {
		return false
	}
	own, told := c.rows[0], c.rows[1]
	if own.Kind != evidence.RowCall {
		own, told = told, own
	}
	if own.Kind != evidence.RowCall || told.Kind != evidence.RowHit || c.answered && told.CallID != c.callID {
		return false
	}
	lost, known := b.upstream.call(own.CallID)
	newer, answered := b.upstream.call(told.CallID)
	if !known || !answered || b.lease == 0 || newer.Caller == own.Replica {
		return false
	}
	if b.away(b.freezes, own.Replica, lost.Arrived, newer.Arrived) ||
		b.away(b.isolations, own.Replica, lost.Arrived-b.lease, newer.Arrived) {
		b.overtook++
		return true
	}
	return false
}

// away says whether one of the disturbances began after a call of the node's, lasted longer than the lease, and another call
// was made meanwhile.
func (b *books) away(disturbances []disturbance, node string, call, other time.Duration) bool {
	for _, d := range disturbances {
		if d.Target == node && d.Healed-d.Ordered > b.lease && call <= d.Ordered && d.whole().holds(other) {
			return true
		}
	}
	return false
}

// hit says whether a node of the service was killed or frozen meanwhile.
func (b *books) hit(node string, meanwhile span) bool {
	for _, d := range b.struck {
		if d.Target == node && d.whole().meets(meanwhile) {
			return true
		}
	}
	return false
}

// bill finds billed calls that are not booked exactly once.
func (b *books) bill() {
	for _, u := range b.upstream.calls {
		if !u.Billed {
			continue
		}
		b.billed += u.Cost
		switch n := b.calls[u.ID]; {
		case n == 0 && b.callerKilled(u):
			b.killed++
		case n == 0 && b.callerFrozen(u):
			b.frozen++
		case n == 0:
			b.object(b.clients[u.RequestID], "billed call without a row", u.ID)
		case n > 1:
			b.object(b.clients[u.RequestID], "billed call with more than one row", u.ID)
		}
	}
}

func (b *books) callerKilled(u evidence.Upstream) bool {
	for _, k := range b.kills {
		if k.Target == u.Caller && u.Arrived <= k.Active && unstoredAt(&u, k.Ordered) {
			return true
		}
	}
	return false
}

// callerFrozen says whether the caller stood still when the call ended and until its timeout had passed.
func (b *books) callerFrozen(u evidence.Upstream) bool {
	for _, f := range b.freezes {
		if f.Target != u.Caller || !(span{f.Ordered - seenLate, f.Healed}).holds(u.Ended) {
			continue
		}
		if b.timeout == 0 {
			b.unproven = "the plan lacks the timeout of an upstream call, which tells whether a frozen caller lost call " + u.ID
			return true
		}
		if u.Arrived+b.timeout <= f.Healed {
			return true
		}
	}
	return false
}

func (b *books) figures() map[string]float64 {
	return map[string]float64{"rows": float64(b.rows), "rows_of_warmup": float64(len(b.warm)), "booked_usd": usd(b.booked),
		"billed_usd": usd(b.billed), "billed_callers_killed": float64(b.killed), "billed_callers_frozen": float64(b.frozen),
		"requests_sent_on": float64(b.repeated), "requests_overtaken": float64(b.overtook), "contradictions": float64(b.why.sum())}
}
