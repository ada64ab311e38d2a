package check

import (
	"fmt"
	"strings"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Accounting: all records of the run say the same of every request. Requests are matched by id over the client's record,
// the load balancer's log, the upstream's ledger and the service's ledger in its database, and each lands in exactly one
// class: answered by a call of its own or by another's (a hit), refused, failed, ambiguous, aborted, unsent, with two rows for a
// fault, of the warm-up, or, before the load, of the set-up. What fits none is unexplained, and none may be. In particular,
//
//   - every answered request has exactly one row, with its tenant, its key and the call that its answer names, of the
//     replica that the load balancer had it answered by, made while it passed; any other has at most one, and one that was
//     never sent has no record at all;
//   - client and load balancer name the same status and the same time;
//   - every upstream call is for a request that was sent, of its tenant and its key. Every billed one has exactly one row of
//     kind call, of the replica and the request that made it, with its price to the nano-dollar; all other rows cost nothing;
//   - what each replica counted since its boot adds up to these records: see Counters.
//
// A certified fault explains two things, each counted apart. A billed call may lack its row if its caller was killed
// meanwhile, or stood still when the call ended and until the call's timeout had passed, so that it never took the answer. A
// request may have two rows, of two calls, if it was under way while a node of the service was killed, frozen or cut off from
// the load balancer, one row is of that node, and the load balancer's log says that the request was sent on to the node that
// the other one is of; or if both are of a node that was frozen, or cut off from all that the replicas share, for longer than
// the lease, one is of its own call, made before, and the other of a call that somebody else made meanwhile, or made later for
// a request that came by then: its own answer was overtaken, and is billed all the same.
//
// Unknown if a record is missing that the others presuppose. The reason names the first requests that do not add up, with
// what each record says of them.
func Accounting(c Counters) Check {
	return complete("Accounting", func(run *evidence.Run) Verdict {
		b := newBooks(run)
		b.enter()
		b.settle()
		b.count(c)
		return b.verdict()
	})
}

func (b *books) verdict() Verdict {
	figures := b.figures()
	switch {
	case b.upstream.flaw != "":
		return unknown("%s", b.upstream.flaw).with(figures)
	case b.rows == 0:
		return unknown("there is no ledger of the service").with(figures)
	case b.clients == 0:
		return unknown("there is no record of requests").with(figures)
	case b.why.sum() > 0:
		return fail(figures, b.culprits, "%d contradictions: %s%s", b.why.sum(), b.why, b.testimonies())
	case b.unproven != "":
		return unknown("%s", b.unproven).with(figures)
	}
	return pass(figures, "%d rows account for every answer and every billed call of %d requests", b.rows, len(b.accounts))
}

// classes that no outcome of the client names.
const (
	byCall      = "answered_by_call"
	byHit       = "answered_by_hit"
	twoRows     = "two_rows"
	ofWarmup    = "of_warmup"
	ofSetup     = "of_setup"
	unexplained = "unexplained"
)

// class finds the one class that a request belongs to.
func (b *books) class(a *account) string {
	switch {
	case a.odd:
		return unexplained
	case a.call == none && b.warm(a):
		return ofWarmup
	case a.call == none:
		return ofSetup
	case a.rows > 1:
		return twoRows
	}
	c := &b.briefs[a.call]
	switch {
	case c.Outcome != evidence.OK:
		return string(c.Outcome)
	case a.called:
		return byCall
	}
	return byHit
}

func (b *books) figures() map[string]float64 {
	f := map[string]float64{"requests": float64(len(b.accounts)), "rows": float64(b.rows), "booked_usd": usd(b.booked),
		"billed_usd": usd(b.billed), "billed_callers_killed": float64(b.killed), "billed_callers_frozen": float64(b.frozen),
		"contradictions": float64(b.why.sum())}
	for _, class := range []string{byCall, byHit, twoRows, ofWarmup, ofSetup, unexplained} {
		f[class] = 0
	}
	for i := range b.accounts {
		f[b.class(&b.accounts[i])]++
	}
	return f
}

// maxTestimonies bounds the requests that a reason spells out.
const maxTestimonies = 3

// testimonies are what each record says of the first requests that do not add up.
func (b *books) testimonies() string {
	var all strings.Builder
	told := 0
	for i := range b.accounts {
		if a := &b.accounts[i]; a.odd && told < maxTestimonies {
			told++
			fmt.Fprintf(&all, "; request %s (client: %s; balancer: %s; upstream: %s; ledger: %s)", b.id(a), b.clientSays(a), b.balancerSays(a), b.upstreamSays(a), b.ledgerSays(a))
		}
	}
	return all.String()
}

// silence is what a record says of a request that it lacks.
const silence = "nothing"

func (b *books) clientSays(a *account) string {
	if a.call == none {
		return silence
	}
	c := b.run.CallAt(int(a.call))
	text := fmt.Sprintf("%s %d", c.Outcome, c.Status)
	if c.Answer.CallID != "" {
		text += " from call " + c.Answer.CallID
	}
	return text
}

func (b *books) balancerSays(a *account) string {
	if a.hop == none {
		return silence
	}
	h := b.run.HopAt(int(a.hop))
	text := fmt.Sprintf("%d by %s", h.Status, h.Server)
	if wasSentOn(h) {
		text += ", sent on"
	}
	if a.hops > 1 {
		text += fmt.Sprintf(", and %d times more", a.hops-1)
	}
	return text
}

func (b *books) upstreamSays(a *account) string {
	var calls []string
	for _, u := range b.upstream.calls {
		if u.RequestID == b.id(a) {
			calls = append(calls, fmt.Sprintf("call %s by %s %s, %d nano-dollars, billed %t", u.ID, u.Caller, u.Outcome, u.Cost, u.Billed))
		}
	}
	if len(calls) == 0 {
		return silence
	}
	return strings.Join(calls, ", ")
}

func (b *books) ledgerSays(a *account) string {
	var rows []string
	for w := range b.rowsOf(a) {
		rows = append(rows, fmt.Sprintf("%s of call %s by %s, %d nano-dollars", w.Kind, w.CallID, w.Replica, w.Cost))
	}
	if len(rows) == 0 {
		return silence
	}
	return strings.Join(rows, ", ")
}
