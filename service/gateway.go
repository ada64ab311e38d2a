package service

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/sentinel-chaos/sentinel/service/dependency"
)

// Settings are the gateway's own figures.
type Settings struct {
	Replica        string        // this replica's name in ledger rows
	Boot           string        // changes with every start of the process
	TTL            time.Duration // how long an answer may be given, at most
	Jitter         float64       // part of TTL, 0 to 1, of which a random share is taken off, so that answers do not expire together
	StaleFor       time.Duration // how long after its expiry an answer may be given when the upstream fails; 0 is never
	Lease          time.Duration // how long a lease store's grant lasts without renewal
	RequestTimeout time.Duration // how long after its request came a flight waits for its grant or for another replica's answer
	MaxFlights     int           // at a time, and with them calls of the upstream; at least 1
	Limits         Limits        // what clients are held to
}

// Ports are the gateway's surroundings.
type Ports struct {
	Cache       Cache
	Buckets     Buckets
	LeaseStores []LeaseStore // in the order in which they are asked; settled in the reverse order, so the one with the ledger is last
	Answers     AnswerStore
	Upstream    Upstream
	Ledger      *Ledger
	Meter       Meter
	Log         *slog.Logger
}

// Gateway answers requests. Make it with New; it is safe for concurrent use.
type Gateway struct {
	Settings
	Ports
	flights  flights
	local    localBuckets
	refused  standingRefusals // of addresses
	handoffs map[LeaseStore]*handoffQueue
	base     context.Context // of flights; ends only when the grace period has run out
	cut      context.CancelFunc
}

// New makes a Gateway.
func New(s Settings, p Ports) *Gateway {
	base, cut := context.WithCancel(context.Background())
	handoffs := make(map[LeaseStore]*handoffQueue, len(p.LeaseStores))
	for _, store := range p.LeaseStores {
		handoffs[store] = newHandoffQueue()
	}
	g := &Gateway{Settings: s, Ports: p, local: localBuckets{replicas: s.Limits.Replicas}, handoffs: handoffs, base: base, cut: cut}
	g.flights.most = s.MaxFlights
	g.flights.panicked = func(key string, defect any) error { return g.panicked("flight", key, defect) }
	return g
}

// errPanicked is what becomes of work that panicked. Where and why is in the log already, once.
var errPanicked = errors.New("a defect ended it, which the log tells of")

// panicked tells of a panic that was recovered from, for log and metrics, from within the deferred function that did so.
func (g *Gateway) panicked(what, key string, defect any) error {
	g.Meter.Panicked()
	g.Log.Error(what, "key", key, "error", fmt.Sprintf("%s panicked: %v\n%s", what, defect, debug.Stack()))
	return errPanicked
}

// ActiveFlights is the gauge of flights under way.
func (g *Gateway) ActiveFlights() *Gauge { return &g.flights.active }

// retrySoon is the advice to clients when no better moment is known: flights have polled their lease stores several times by then.
const retrySoon = time.Second

// Answer answers one request: from the cache, or else by the key's flight. A row is in the ledger before it returns a Result.
func (g *Gateway) Answer(ctx context.Context, r Request) (Result, error) {
	if g.Ledger.Full() {
		return Result{}, &Unavailable{Reason: ReasonLedgerFull, RetryAfter: retrySoon}
	}
	row, buckets := g.row(r), g.Limits.ofKey(r.KeyID)
	answer, mark, err := g.Cache.Read(ctx, row, buckets)
	if limited := g.limit(buckets, err); limited != nil {
		return Result{}, limited
	}
	if err == nil {
		g.Meter.Looked("hit")
		row.answeredBy(answer)
		g.Ledger.Keep(Entry{Row: row, Mark: mark})
		return Result{Answer: answer, Source: Hit}, nil
	}
	if errors.Is(err, ErrNoAnswer) {
		g.Meter.Looked("miss")
	} else {
		g.Meter.Looked("unavailable")
	}
	return g.miss(ctx, r, row)
}

// AdmitAddress takes a token out of the bucket of a client's address. If there is none the error is a *Limited. That costs the shared
// buckets one operation until a token is there: whoever floods waits here in vain.
func (g *Gateway) AdmitAddress(ctx context.Context, client netip.Addr) error {
	buckets := g.Limits.ofAddress(client)
	if len(buckets) == 0 {
		return nil
	}
	limited := g.refused.of(buckets[0])
	if limited != nil {
		g.Meter.Limited(limited.Kind, "shared")
		return limited
	}
	err := g.Buckets.Take(ctx, buckets)
	if limited = g.limit(buckets, err); limited == nil {
		return nil
	}
	if errors.Is(err, limited) {
		g.refused.note(buckets[0], limited)
	}
	return limited
}

// limit returns the limit for which a request is refused, if any, by what the look into the shared buckets ended with. Where these
// are unavailable, the replica's own decide, at once: the look has spent the budget already.
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
		Serial: crand.Text(), RequestID: r.ID, Tenant: r.Tenant, KeyID: r.KeyID, Key: r.Key(), Kind: RowHit,
		At: time.Now(), Replica: g.Replica, Boot: g.Boot,
	}
}

// miss waits for the key's flight. A flight that was under way before this request came may fail for want of time; then there
// is still time for another one.
func (g *Gateway) miss(ctx context.Context, r Request, row Row) (Result, error) {
	for {
		f, mine := g.flights.join(row.Key, func() flightResult { return g.fly(r, row) })
		result, err := f.wait(ctx)
		if err != nil {
			return Result{}, &Unavailable{Reason: ReasonDeadline, RetryAfter: retrySoon, Err: err}
		}
		if result.err != nil {
			if !mine && timedOut(result.err) && ctx.Err() == nil && g.base.Err() == nil {
				continue
			}
			return Result{}, result.err
		}
		if mine && result.source == Call {
			return Result{Answer: result.answer, Source: Call, Cost: result.answer.Cost}, nil // the flight wrote the row
		}
		row.answeredBy(result.answer)
		if mine && result.rowWritten {
			g.Ledger.Keep(Entry{Row: row})
		} else {
			g.Ledger.Record(ctx, row)
		}
		return Result{Answer: result.answer, Source: seenBy(mine, result.source)}, nil
	}
}

func timedOut(err error) bool {
	var u *Unavailable
	return errors.As(err, &u) && (u.Reason == ReasonDeadline || u.Reason == ReasonNoAuthority)
}

func seenBy(mine bool, source Source) Source {
	if !mine && source == Call {
		return Shared
	}
	return source
}

// fly gets the flight's answer: a lease store has it, or grants the call that brings it.
func (g *Gateway) fly(r Request, row Row) flightResult {
	ctx, cancel := context.WithDeadline(g.base, row.At.Add(g.RequestTimeout)) // the request's time is running since it came
	defer cancel()
	for {
		lease := newLease(g.LeaseStores, row, g.Lease)
		if result, ended := g.acquire(ctx, lease); ended {
			return result
		}
		if result := g.call(lease, r, row); !errors.Is(result.err, errLeaseLost) {
			return result
		} // whoever holds the flight now may have the answer soon
	}
}

// acquire asks the lease stores until they grant the flight, or until it ends: they have the answer, or time is up.
func (g *Gateway) acquire(ctx context.Context, lease *lease) (result flightResult, ended bool) {
	waited := false
	for backoff := (dependency.Backoff{Next: firstPoll, Most: longestPoll}); ; {
		replies := lease.acquire(ctx)
		if i, reply := answered(replies); reply != nil {
			g.backfill(lease, i, reply)
			g.releaseUnconfirmed(lease)
			return flightResult{answer: reply.Answer, source: origin(i, waited), rowWritten: reply.RowWritten}, true
		}
		askAgain, restoring := lease.missingIsUp(), lease.restoring(replies)
		// The context may have ended before a lease store could reply: that is no outage.
		if mayCall(replies) && ctx.Err() == nil && !askAgain && restoring <= 0 && lease.coversCall() {
			return flightResult{}, false
		}
		if askAgain || restoring > 0 || refused(replies) {
			lease.releasePartial(ctx, replies) // the next round may end before it comes to who granted in this one
		}
		if refused(replies) {
			if answer, err := g.Answers.Find(ctx, lease.key, 0); err == nil { // a dead holder's lock may outlive its answer
				g.releaseUnconfirmed(lease)
				return flightResult{answer: answer, source: origin(1, waited)}, true
			}
			waited = true
		}
		_ = dependency.Sleep(ctx, restoring) // without the grant, which would keep the answer out
		if err := backoff.Wait(ctx); err != nil {
			g.releaseAll(lease)
			return flightResult{err: noTimeLeft(waited, err)}, true
		}
	}
}

// How often a flight asks again while another holds the key, or no lease store replies. An LLM call takes hundreds of
// milliseconds, so the longest adds little to it, and one poll costs a lease store well under a millisecond.
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

// origin names the source of an answer that lease store i had.
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

func noTimeLeft(waited bool, err error) error {
	if waited {
		return &Unavailable{Reason: ReasonDeadline, RetryAfter: retrySoon, Err: err}
	}
	return &Unavailable{Reason: ReasonNoAuthority, RetryAfter: retrySoon, Err: err}
}

// call makes the upstream call under the lease, and commits its answer. What was billed is booked, even if it brought none.
func (g *Gateway) call(lease *lease, r Request, row Row) flightResult {
	r.Until = row.At.Add(g.RequestTimeout)
	answer, err := g.complete(lease, r)
	defer g.releaseUnconfirmed(lease) // after the commit, which may acquire the flight again
	if answer.CallID != "" {          // it was billed
		answer.Token = lease.token
		row.answeredBy(answer)
		row.Kind, row.Cost = RowCall, answer.Cost
		g.Meter.Charged(answer.Cost)
	}
	if err != nil {
		if row.Kind == RowCall {
			g.record(&row)
		}
		g.releaseAll(lease)
		return g.stale(row.Key, err)
	}
	return g.commit(lease, answer, row)
}

// complete calls the upstream while the lease is renewed beside it.
func (g *Gateway) complete(lease *lease, r Request) (Answer, error) {
	ctx, abort := context.WithCancelCause(g.base)
	renewing := make(chan struct{})
	go func() {
		defer close(renewing)
		lease.renewLoop(ctx, abort)
	}()
	defer func() {
		abort(nil)
		<-renewing // a renewal after the commit would take the flight again
	}()
	answer, err := g.Upstream.Complete(ctx, r)
	if err != nil && aborted(ctx) {
		return answer, &Unavailable{Reason: ReasonLeaseLost, RetryAfter: retrySoon, Err: errLeaseLost}
	}
	return answer, err
}

// stale turns an upstream's failure into an answer past its expiry, where that is allowed and there is one.
func (g *Gateway) stale(key string, failure error) flightResult {
	if g.StaleFor <= 0 {
		return flightResult{err: failure}
	}
	answer, err := g.Answers.Find(g.base, key, g.StaleFor)
	if err != nil {
		return flightResult{err: failure}
	}
	return flightResult{answer: answer, source: Stale}
}

// drawTTL draws an answer's time to live.
func (g *Gateway) drawTTL() time.Duration {
	return g.TTL - time.Duration(rand.Float64()*g.Jitter*float64(g.TTL))
}

// Wait returns when every flight has ended. When the context ends first it aborts them, and returns the context's error: once they have ended, and
// kept their rows of what was billed, or when they have had so much time for that.
func (g *Gateway) Wait(ctx context.Context, toAbort time.Duration) error {
	defer g.cut()
	err := g.flights.wait(ctx)
	if err != nil {
		g.cut()
		aborted, cancel := context.WithTimeout(context.WithoutCancel(ctx), toAbort)
		defer cancel()
		_ = g.flights.wait(aborted)
	}
	return err
}
