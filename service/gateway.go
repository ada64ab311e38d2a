package service

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/sentinel-chaos/sentinel/service/patience"
)

// Settings are the gateway's own figures.
type Settings struct {
	Replica  string        // this replica's name in ledger rows
	Boot     string        // changes with every start of the process
	Lifetime time.Duration // how long an answer may be given, at most
	Jitter   float64       // part of Lifetime, 0 to 1, of which a random share is taken off, so that answers do not die together
	StaleFor time.Duration // how long after its death an answer may be given when the upstream fails; 0 is never
	Lease    time.Duration // how long an authority's grant lasts without renewal
	Patience time.Duration // how long after its request came a flight waits for its grant or for another replica's answer
	Limits   Limits        // what clients are held to
}

// Ports are the gateway's surroundings.
type Ports struct {
	Cache       Cache
	Authorities []Authority // in the order in which they are asked; settled in the reverse order, so the book's keeper is last
	Archive     Archive
	Upstream    Upstream
	Ledger      *Ledger
	Meter       Meter
	Log         *slog.Logger
}

// Gateway answers requests. Make it with New; it is safe for concurrent use.
type Gateway struct {
	Settings
	Ports
	flights flights
	local   localBuckets
	late    map[Authority]*late
	base    context.Context // of flights; ends only when the grace period has run out
	cut     context.CancelFunc
}

// New makes a Gateway.
func New(s Settings, p Ports) *Gateway {
	base, cut := context.WithCancel(context.Background())
	missed := make(map[Authority]*late, len(p.Authorities))
	for _, authority := range p.Authorities {
		missed[authority] = newLate()
	}
	return &Gateway{Settings: s, Ports: p, local: localBuckets{replicas: s.Limits.Replicas}, late: missed, base: base, cut: cut}
}

// ActiveFlights is the gauge of flights under way.
func (g *Gateway) ActiveFlights() *Gauge { return &g.flights.active }

// retrySoon is the advice to clients when nothing tells a better moment: a few leases' polls later things have moved.
const retrySoon = time.Second

// Answer answers one request: from the cache, or else by the key's flight. A row is in the ledger before it returns a Result.
func (g *Gateway) Answer(ctx context.Context, r Request) (Result, error) {
	if g.Ledger.Full() {
		return Result{}, &Unavailable{Reason: ReasonLedgerFull, RetryAfter: retrySoon}
	}
	row, buckets := g.row(r), g.Limits.buckets(r)
	answer, mark, err := g.Cache.Read(ctx, row, buckets)
	if limited := g.limit(buckets, err); limited != nil {
		return Result{}, limited
	}
	if err == nil {
		g.Meter.Looked("hit")
		row.CallID = answer.CallID
		g.Ledger.Keep(Entry{Row: row, Mark: mark})
		return Result{Answer: answer, Source: Hit}, nil
	}
	if errors.Is(err, ErrNoAnswer) {
		g.Meter.Looked("miss")
	} else {
		g.Meter.Looked("silent")
	}
	return g.miss(ctx, r, row)
}

// limit says whether a request is refused for a limit, by what the look into the cache ended with. Where the shared buckets
// are silent, the replica's own decide, at once: the look has spent the budget already.
func (g *Gateway) limit(buckets []Bucket, looked error) *Limited {
	var limited *Limited
	switch {
	case errors.As(looked, &limited):
		g.Meter.Limited(limited.Kind, "shared")
	case looked == nil || errors.Is(looked, ErrNoAnswer):
		g.local.spend(buckets)
	default:
		if limited = g.local.take(buckets); limited != nil {
			g.Meter.Limited(limited.Kind, "own")
		}
	}
	return limited
}

func (g *Gateway) row(r Request) Row {
	return Row{
		RequestID: r.ID, Tenant: r.Tenant, KeyID: r.KeyID, Key: r.Key(), Kind: RowHit,
		At: time.Now(), Replica: g.Replica, Boot: g.Boot,
	}
}

// miss waits for the key's flight. One that was under way before this request came may fail for want of time; then there
// is still time for another.
func (g *Gateway) miss(ctx context.Context, r Request, row Row) (Result, error) {
	for {
		f, mine := g.flights.join(row.Key, func() landing { return g.fly(r, row) })
		l, err := f.wait(ctx)
		if err != nil {
			return Result{}, &Unavailable{Reason: ReasonDeadline, RetryAfter: retrySoon, Err: err}
		}
		if l.err != nil {
			if !mine && outOfTime(l.err) && ctx.Err() == nil {
				continue
			}
			return Result{}, l.err
		}
		if mine && l.source == Call {
			return Result{Answer: l.answer, Source: Call, Cost: l.answer.Cost}, nil // the flight wrote the row
		}
		row.CallID = l.answer.CallID
		if mine && l.noted {
			g.Ledger.Keep(Entry{Row: row})
		} else {
			g.Ledger.Record(ctx, row)
		}
		return Result{Answer: l.answer, Source: seenBy(mine, l.source)}, nil
	}
}

func outOfTime(err error) bool {
	var u *Unavailable
	return errors.As(err, &u) && (u.Reason == ReasonDeadline || u.Reason == ReasonNoAuthority)
}

func seenBy(mine bool, source Source) Source {
	if !mine && source == Call {
		return Shared
	}
	return source
}

// fly gets the flight's answer: an authority has it, or grants the call that brings it.
func (g *Gateway) fly(r Request, row Row) landing {
	ctx, cancel := context.WithDeadline(g.base, row.At.Add(g.Patience)) // the request's time is running since it came
	defer cancel()
	for {
		h := newHold(g.Authorities, row, g.Lease)
		if l, landed := g.seek(ctx, h); landed {
			return l
		}
		if l := g.call(h, r, row); !errors.Is(l.err, errLeaseLost) {
			return l
		} // whoever has the flight now may have the answer soon
	}
}

// seek asks the authorities until they grant the flight, or land it: they have the answer, or time is up.
func (g *Gateway) seek(ctx context.Context, h *hold) (l landing, landed bool) {
	waited := false
	for pause := (patience.Pause{Next: firstPoll, Most: longestPoll}); ; {
		replies := h.ask(ctx)
		if i, reply := answered(replies); reply != nil {
			g.give(h, i, reply)
			g.forgo(h)
			return landing{answer: reply.Answer, source: origin(i, waited), noted: reply.Noted}, true
		}
		outdated := h.outdated()
		if mayCall(replies) && ctx.Err() == nil && !outdated && h.lasts() { // an authority that was not waited for is not silent
			return landing{}, false
		}
		if outdated || refused(replies) {
			h.yield(ctx, replies) // the next round may end before it comes to who granted in this one
		}
		if refused(replies) {
			if answer, err := g.Archive.Find(ctx, h.key, 0); err == nil { // a dead holder's lock may outlive its answer
				g.forgo(h)
				return landing{answer: answer, source: origin(1, waited)}, true
			}
			waited = true
		}
		if err := pause.Wait(ctx); err != nil {
			g.abandon(h)
			return landing{err: outOfPatience(waited, err)}, true
		}
	}
}

// How often a flight asks again while another holds the key, or nobody answers. An LLM call takes hundreds of
// milliseconds, so the longest adds little to it, and one poll costs an authority well under a millisecond.
const (
	firstPoll   = 20 * time.Millisecond
	longestPoll = 80 * time.Millisecond
)

func answered(replies []Reply) (int, *Reply) {
	for i := range replies {
		if replies[i].Verdict == Answered {
			return i, &replies[i]
		}
	}
	return 0, nil
}

// origin names the source of an answer that authority i had.
func origin(i int, waited bool) Source {
	switch {
	case waited:
		return Shared
	case i == 0:
		return Hit
	default:
		return Stored
	}
}

func outOfPatience(waited bool, err error) error {
	if waited {
		return &Unavailable{Reason: ReasonDeadline, RetryAfter: retrySoon, Err: err}
	}
	return &Unavailable{Reason: ReasonNoAuthority, RetryAfter: retrySoon, Err: err}
}

// call makes the upstream call under the hold, and settles its answer.
func (g *Gateway) call(h *hold, r Request, row Row) landing {
	r.Until = row.At.Add(g.Patience)
	answer, err := g.complete(h, r)
	defer g.forgo(h) // after the settlement, which may ask for the flight again
	if err != nil {
		g.abandon(h)
		return g.stale(row.Key, err)
	}
	row.Kind, row.CallID, row.Cost = RowCall, answer.CallID, answer.Cost
	g.Meter.Charged(answer.Cost)
	return g.settle(h, answer, row)
}

// complete calls the upstream while keep renews the lease beside it.
func (g *Gateway) complete(h *hold, r Request) (Answer, error) {
	ctx, abort := context.WithCancelCause(g.base)
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		h.keep(ctx, abort)
	}()
	defer func() {
		abort(nil)
		<-kept // a renewal after the settlement would take the flight again
	}()
	answer, err := g.Upstream.Complete(ctx, r)
	if err != nil && aborted(ctx) {
		return Answer{}, &Unavailable{Reason: ReasonLeaseLost, RetryAfter: retrySoon, Err: errLeaseLost}
	}
	return answer, err
}

// stale turns an upstream's failure into an answer past its lifetime, where that is allowed and there is one.
func (g *Gateway) stale(key string, failure error) landing {
	if g.StaleFor <= 0 {
		return landing{err: failure}
	}
	answer, err := g.Archive.Find(g.base, key, g.StaleFor)
	if err != nil {
		return landing{err: failure}
	}
	return landing{answer: answer, source: Stale}
}

// lifetime draws how long an answer lives.
func (g *Gateway) lifetime() time.Duration {
	return g.Lifetime - time.Duration(rand.Float64()*g.Jitter*float64(g.Lifetime))
}
