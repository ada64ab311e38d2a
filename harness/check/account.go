package check

import (
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

const (
	// clockSlack is by how much two servers may differ in the moment of one event, although they read one clock: the load
	// balancer keeps its own and sets it once per round of work.
	clockSlack = 100 * time.Millisecond
	// clientSlack is by how much the client and a server may differ in it: on a busy machine, the client waits for its turn to
	// read the clock, a few hundred milliseconds at most. Records further apart are not of one request.
	clientSlack = time.Second
)

// wasSentOn says whether the load balancer gave the request to more than one server, or to one more than once.
func wasSentOn(h *evidence.Hop) bool { return h.Redispatched || h.Retries > 0 }

// request judges what the client, the load balancer and the rows say of one request.
func (b *books) request(a *account) {
	if a.hops > 1 {
		b.object(a, "passed the load balancer more than once")
	}
	switch {
	case a.call != none:
		b.planned(a, b.run.CallAt(int(a.call)))
	case b.warm(a):
		b.warmedUp(a)
	default:
		b.stranger(a)
	}
}

// planned judges a request of the load.
func (b *books) planned(a *account, c *evidence.Call) {
	if c.Outcome == evidence.Unsent {
		if a.rows > 0 {
			b.object(a, "row of a request that was never sent")
		}
		if a.hops > 0 {
			b.object(a, "passed the load balancer, yet was never sent")
		}
		return
	}
	for w := range b.rowsOf(a) {
		switch {
		case w.Tenant != c.Tenant:
			b.object(a, "row of another tenant")
		case w.Key != c.Key:
			b.object(a, "row of another key")
		}
	}
	switch {
	case a.rows == 0 && c.Outcome == evidence.OK:
		b.object(a, "answer without a row")
	case a.rows == 1 && c.Outcome == evidence.OK && b.run.RowAt(int(a.row[0])).CallID != c.Answer.CallID:
		b.object(a, "row of another call than the answer's")
	case a.rows > 1 && !b.explainsTwo(a, c):
		b.object(a, "more than one row")
	}
	b.passed(a, c)
}

// passed compares the client's record with the load balancer's.
func (b *books) passed(a *account, c *evidence.Call) {
	if a.hop == none {
		if c.Status != 0 {
			b.unlogged(a)
		}
		return
	}
	h := b.run.HopAt(int(a.hop))
	switch {
	case c.Status != 0 && c.Status != h.Status:
		b.object(a, "client and load balancer name another status")
	case h.At < c.Sent-clientSlack, h.At > c.End+clockSlack, h.End-c.End > clientSlack, c.End-h.End > clientSlack:
		b.doubt("client and load balancer disagree on when request " + b.id(a) + " passed")
	}
	if c.Outcome == evidence.OK {
		b.answered(a, h)
	}
}

// unlogged notes a request that must have passed the load balancer and is not in its log.
func (b *books) unlogged(a *account) {
	b.gaps = true
	b.doubt("the load balancer's log lacks request " + b.id(a))
}

// answered compares the one row of an answered request, and the call that it books, with the load balancer's record.
func (b *books) answered(a *account, h *evidence.Hop) {
	if a.rows != 1 || wasSentOn(h) {
		return // whoever had it first may have booked it
	}
	w := b.run.RowAt(int(a.row[0]))
	switch while := (span{h.At - clockSlack, h.End + clockSlack}); {
	case w.Replica != h.Server:
		b.object(a, "row of another replica than answered")
	case !while.holds(w.At):
		b.object(a, "row made before or after the request passed")
	case w.Kind == evidence.RowCall:
		if u, known := b.upstream.at(b.places.rowCall[a.row[0]]); known && !(while.holds(u.Arrived) && while.holds(u.Ended)) {
			b.object(a, "call made before or after its request passed")
		}
	}
}

// warmedUp judges a request of the warm-up, of which there is no client's record: it must have been answered at once.
func (b *books) warmedUp(a *account) {
	if a.hop == none {
		b.unlogged(a)
		return
	}
	h := b.run.HopAt(int(a.hop))
	switch {
	case a.rows > 1:
		b.object(a, "more than one row")
	case h.Status != 200 || wasSentOn(h) || !clean(h):
		b.doubt("request " + b.id(a) + " of the warm-up was not answered at the first attempt")
	case a.rows == 0:
		b.object(a, "answer without a row")
	default:
		b.answered(a, h)
	}
}

// stranger judges a request that the plan does not know: the set-up may send some, but none that leads to an answer.
func (b *books) stranger(a *account) {
	if a.rows > 0 {
		b.object(a, "row of a request that was never sent")
	}
	if a.hop != none && b.run.HopAt(int(a.hop)).At >= b.load {
		b.object(a, "passed the load balancer, yet was never sent")
	}
}

// explainsTwo says whether a fault explains that a request has two rows, of two calls.
func (b *books) explainsTwo(a *account, c *evidence.Call) bool {
	if a.rows != 2 {
		return false
	}
	rows := [2]*evidence.Row{b.run.RowAt(int(a.row[0])), b.run.RowAt(int(a.row[1]))}
	if rows[0].CallID == rows[1].CallID {
		return false
	}
	for i, lost := range rows {
		told := rows[1-i]
		if c.Outcome == evidence.OK && told.CallID != c.Answer.CallID {
			continue
		}
		if b.overtaken(lost, told) || b.takenElsewhere(a, lost, told, c) {
			return true
		}
	}
	return false
}

// overtaken says whether the replica stood still over its own call, or was cut off from all stores, for longer than its
// lease, so that another called meanwhile.
func (b *books) overtaken(own, told *evidence.Row) bool {
	if own.Kind != evidence.RowCall || told.Kind != evidence.RowHit || own.Replica != told.Replica {
		return false
	}
	lost, known := b.upstream.call(own.CallID)
	newer, answered := b.upstream.call(told.CallID)
	if !known || !answered || newer.Caller == own.Replica {
		return false
	}
	at := b.asking(newer)
	away := b.away(b.freezes, own.Replica, lost.Arrived, at) || b.away(b.isolations, own.Replica, lost.Arrived-b.lease, at)
	if away && b.lease == 0 {
		b.doubt("the plan lacks the lease of the lock, which tells whether call " + told.CallID + " could overtake call " + own.CallID)
	}
	return away
}

// asking is from when the request that the call was made for was sent until the call arrived: meanwhile its replica may have
// waited for somebody's lease or for an authority, or called in vain. It goes on for some time after the request was answered,
// for longer if its client left; later than that nobody was asking.
func (b *books) asking(u *evidence.Upstream) span {
	s := span{u.Arrived, u.Arrived}
	for c := range b.run.Calls() {
		left := c.Outcome == evidence.Aborted || c.Outcome == evidence.Ambiguous
		if c.ID == u.RequestID && c.Sent > 0 && (left || u.Arrived <= c.End+b.timeout) {
			s.from = min(s.from, c.Sent)
		}
	}
	return s
}

// away says whether one of the disturbances took hold after a call of the node's, lasted longer than the lease, and another
// call was being asked for meanwhile.
func (b *books) away(disturbances []disturbance, node string, call time.Duration, other span) bool {
	for _, d := range disturbances {
		if d.Target == node && d.Healed-d.Ordered > b.lease && call <= d.Active && d.whole().meets(other) {
			return true
		}
	}
	return false
}

// takenElsewhere says whether the request was sent on from a replica that was killed or frozen. If the log lacks it, it may
// have been.
func (b *books) takenElsewhere(a *account, lost, told *evidence.Row, c *evidence.Call) bool {
	if lost.Replica == told.Replica || !b.hit(lost.Replica, span{c.Sent, c.End}) {
		return false
	}
	if a.hop == none {
		b.doubt("request " + b.id(a) + " has rows of two calls, and the load balancer's log does not say whether it was repeated")
		return true
	}
	h := b.run.HopAt(int(a.hop))
	return h.Server == told.Replica && wasSentOn(h)
}

// hit says whether a node of the service was taken away meanwhile.
func (b *books) hit(node string, meanwhile span) bool {
	for _, d := range b.struck {
		if d.Target == node && d.whole().meets(meanwhile) {
			return true
		}
	}
	return false
}
