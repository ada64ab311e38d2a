package check

import (
	"iter"
	"strings"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// account is where the records of one request are found.
type account struct {
	stranger   int32    // place of its id among those of strangers; none if it is in the client's record
	call, hop  int32    // places in the client's record and in the load balancer's log
	row        [2]int32 // of the first two rows
	hops, rows uint16   // how many there are
	called     bool     // a row books a call as its own
	odd        bool     // the records contradict each other
}

// newAccount is that of a request of the client's record or of a stranger; the other one is none.
func newAccount(call, stranger int32) account {
	return account{call: call, stranger: stranger, hop: none, row: [2]int32{none, none}}
}

// books bring the records together.
type books struct {
	run        *evidence.Run
	briefs     briefs
	upstream   *ledger
	places     *places
	accounts   []account        // first those of the client's record, in its order
	others     map[string]int32 // the places of the rest, strangers, by request id
	strangers  []string         // their ids
	entries    []uint16         // rows of kind call by the call's place in the upstream's ledger
	kills      []disturbance
	freezes    []disturbance
	isolations []disturbance
	struck     []disturbance // what took nodes of the service away
	load       time.Duration // start of the load
	timeout    time.Duration // of an upstream call; 0 if the plan lacks it
	lease      time.Duration // of the lock that a caller holds; 0 if the plan lacks it
	tallies    map[boot]*tallied

	clients, rows, killed, frozen int
	repeated                      int // requests that the load balancer sent on
	booked, billed                int64
	gaps                          bool   // the load balancer's log has some
	unproven                      string // the first thing that is not known
	why                           tally
	miscount                      string // what counters that disagree with the records are called
	culprits                      []uint64
}

func newBooks(run *evidence.Run) *books {
	b := &books{run: run, briefs: readBriefs(run), upstream: readLedger(run), places: readPlaces(run), others: map[string]int32{}, kills: disturbances(run, evidence.FaultKill),
		freezes: disturbances(run, evidence.FaultFreeze), isolations: isolations(run), struck: takenAway(run),
		tallies: map[boot]*tallied{}, why: tally{}}
	b.entries = make([]uint16, len(b.upstream.calls))
	b.timeout, _ = run.Param(evidence.ParamLLMTimeout)
	b.lease, _ = run.Param(evidence.ParamLease)
	b.load, _ = loadStart(run)
	return b
}

// account finds a request's account, by its place in the client's record, or by its id that of a stranger.
func (b *books) account(place int32, id string) *account {
	if place == none {
		place = b.other(id)
	}
	return &b.accounts[place]
}

// other gives the place of the account of a request that is not in the client's record.
func (b *books) other(id string) int32 {
	place, known := b.others[id]
	if !known {
		place = int32(len(b.accounts))
		b.others[id] = place
		b.accounts = append(b.accounts, newAccount(none, int32(len(b.strangers))))
		b.strangers = append(b.strangers, id)
	}
	return place
}

// id is that of the request.
func (b *books) id(a *account) string {
	if a.call != none {
		return b.run.CallAt(int(a.call)).ID
	}
	return b.strangers[a.stranger]
}

// warm says whether the request prepared the system.
func (b *books) warm(a *account) bool { return strings.HasPrefix(b.id(a), evidence.WarmupPrefix) }

// enter reads all records.
func (b *books) enter() {
	planned := count(b.run.EachCall())
	b.accounts = make([]account, 0, planned+planned/8) // the warm-up sends far fewer than the load
	for ; b.clients < planned; b.clients++ {
		b.accounts = append(b.accounts, newAccount(int32(b.clients), none))
	}
	for i, a := range b.accountsOf(b.places.hop, func(i int) string { return b.run.HopAt(i).RequestID }) {
		a.hop = int32(i)
		a.hops++
	}
	for i, a := range b.accountsOf(b.places.rowRequest, func(i int) string { return b.run.RowAt(i).RequestID }) {
		if a.rows < 2 {
			a.row[a.rows] = int32(i)
		}
		a.rows++
		b.rows++
	}
	for range b.accountsOf(b.places.caller, func(i int) string { return b.upstream.calls[i].RequestID }) {
	}
}

// accountsOf yields the accounts of records whose requests are at those places. It asks only for the ids of strangers.
func (b *books) accountsOf(places []int32, id func(i int) string) iter.Seq2[int, *account] {
	return func(yield func(int, *account) bool) {
		for i, place := range places {
			if place == none {
				place = b.other(id(i))
			}
			if !yield(i, &b.accounts[place]) {
				return
			}
		}
	}
}

// settle compares them.
func (b *books) settle() {
	for i, w := range b.run.EachRow() {
		b.price(i, w)
	}
	for i := range b.accounts {
		b.request(&b.accounts[i])
	}
	b.bill()
}

func (b *books) object(a *account, what string) {
	b.why[what]++
	if a != nil && !a.odd {
		a.odd = true
		if a.call != none && len(b.culprits) < MaxCalls {
			b.culprits = append(b.culprits, b.run.CallAt(int(a.call)).Seq)
		}
	}
}

func (b *books) doubt(what string) {
	if b.unproven == "" {
		b.unproven = what
	}
}

// rowsOf yields the first two rows of a request.
func (b *books) rowsOf(a *account) iter.Seq[*evidence.Row] {
	return func(yield func(*evidence.Row) bool) {
		for _, i := range a.row {
			if i != none && !yield(b.run.RowAt(int(i))) {
				return
			}
		}
	}
}

// price compares the row at a place with the upstream call that it names.
func (b *books) price(place int, w *evidence.Row) {
	b.booked += w.Cost
	b.tally(w)
	a := b.account(b.places.rowRequest[place], w.RequestID)
	a.called = a.called || w.Kind == evidence.RowCall
	i := b.places.rowCall[place]
	if i == none {
		b.object(a, "row of a call that the upstream never had")
		return
	}
	u := b.upstream.calls[i]
	if w.Tenant != u.Tenant || w.Key != u.Key {
		b.object(a, "row of another tenant or key than its call")
	}
	switch w.Kind {
	case evidence.RowCall:
		b.entries[i]++
		b.own(a, w, u)
	case evidence.RowHit:
		if w.Cost != 0 {
			b.object(a, "hit that costs something")
		}
	default:
		b.object(a, "row of an unknown kind")
	}
}

// own judges a row that books a call as the request's own.
func (b *books) own(a *account, w *evidence.Row, u *evidence.Upstream) {
	switch {
	case !u.Billed || w.Cost != u.Cost:
		b.object(a, "cost is not what was billed")
	case w.RequestID != u.RequestID:
		b.object(a, "call booked by another request than made it")
	case w.Replica != u.Caller:
		b.object(a, "call booked by another replica than made it")
	}
}

// bill finds upstream calls of nobody, and billed ones that are not booked exactly once.
func (b *books) bill() {
	for i, u := range b.upstream.calls {
		a := b.account(b.places.caller[i], u.RequestID)
		b.asked(a, u)
		if !u.Billed {
			continue
		}
		b.billed += u.Cost
		switch n := b.entries[i]; {
		case n == 0 && b.callerKilled(u):
			b.killed++
			b.lost(u)
		case n == 0 && b.callerFrozen(u):
			b.frozen++
			b.lost(u)
		case n == 0:
			b.object(a, "billed call without a row")
		case n > 1:
			b.object(a, "billed call with more than one row")
		}
	}
}

// asked says for whom a call was made.
func (b *books) asked(a *account, u *evidence.Upstream) {
	if a.call == none {
		if !b.warm(a) {
			b.object(a, "call for a request that was never sent")
		}
		return
	}
	switch c := b.run.CallAt(int(a.call)); {
	case c.Outcome == evidence.Unsent:
		b.object(a, "call for a request that was never sent")
	case c.Tenant != u.Tenant || c.Key != u.Key:
		b.object(a, "call for another tenant or key than the request's")
	case u.Arrived < c.Sent-clientSlack:
		b.object(a, "call made before its request was sent")
	}
}

func (b *books) callerKilled(u *evidence.Upstream) bool {
	for _, k := range b.kills {
		if k.Target == u.Caller && u.Arrived <= k.Active && unstoredAt(u, k.Ordered) {
			return true
		}
	}
	return false
}

// callerFrozen says whether the caller stood still when the call ended and until its timeout had passed.
func (b *books) callerFrozen(u *evidence.Upstream) bool {
	for _, f := range b.freezes {
		if f.Target != u.Caller || !(span{f.Ordered - seenLate, f.Healed}).holds(u.Ended) {
			continue
		}
		if b.timeout == 0 {
			b.doubt("the plan lacks the timeout of an upstream call, which tells whether a frozen caller lost call " + u.ID)
			return true
		}
		if u.Arrived+b.timeout <= f.Healed {
			return true
		}
	}
	return false
}
