package service

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sentinel-chaos/sentinel/service/dependency"
)

// handoffQueue is the hinted handoff of one lease store: what the lease store missed while it was unavailable.
type handoffQueue struct {
	hints   chan hint
	orphans chan orphanLease
	read    sync.Map     // keys of those hints whose answers were read from the other lease store, not called for
	owed    atomic.Int64 // hints and orphans that are not delivered
}

// hint is an answer that a lease store missed.
type hint struct {
	Settlement
	refused time.Time     // when it first was
	pause   time.Duration // before the next attempt after that
}

// orphanLease is a lease that a lease store may have granted to a flight that is over. It keeps others out until it ends.
type orphanLease struct {
	key, token string
	ends       time.Time
}

// Bounds of the handoff, for each lease store. There is room for some seconds of calls. Pauses between attempts cost nothing while
// the gate knows the lease store to be unavailable. What is dropped breaks no promise while the other lease store lives.
const (
	handoffRoom  = 1024
	handoffPause = 20 * time.Millisecond
)

func newHandoffQueue() *handoffQueue {
	return &handoffQueue{hints: make(chan hint, handoffRoom), orphans: make(chan orphanLease, handoffRoom)}
}

// handOff keeps an answer for the lease stores that missed it.
func (g *Gateway) handOff(missed []LeaseStore, h hint) {
	for _, store := range missed {
		queue := g.handoffs[store]
		queue.owed.Add(1)
		select {
		case queue.hints <- h:
		default:
			queue.owed.Add(-1)
			queue.read.Delete(h.Key)
			g.Log.Warn("no room to hand an answer off", "key", h.Key)
		}
	}
}

// backfill settles an answer that one lease store had in those that granted the flight for want of it. The settlement also ends
// the lease there. A lease store that does not reply gets the answer later. It may come back empty, and the other one may be
// unavailable by the time somebody asks again.
func (g *Gateway) backfill(lease *lease, from int, reply *Reply) {
	s := Settlement{Key: lease.key, Token: lease.token, Answer: reply.Answer, ExpiresAt: reply.ExpiresAt}
	for _, store := range lease.stores[:from] {
		if _, err := store.Settle(g.base, s); err != nil {
			g.backfillLater(store, s)
		}
	}
}

// backfillLater hands off an answer that was read, once for all who read it. Half of the room is kept for answers that calls
// brought.
func (g *Gateway) backfillLater(to LeaseStore, s Settlement) {
	queue := g.handoffs[to]
	if len(queue.hints) >= handoffRoom/2 {
		return
	}
	if _, queued := queue.read.LoadOrStore(s.Key, true); !queued {
		g.handOff([]LeaseStore{to}, hint{Settlement: s})
	}
}

// releaseAll ends the lease without an answer. Its token is never used again, so that it can be released at any time.
func (g *Gateway) releaseAll(lease *lease) {
	g.releaseLater(lease, lease.release(context.WithoutCancel(g.base)))
}

// stragglerGrace is how long a request to a lease store may be under way that nobody waits for any more.
const stragglerGrace = time.Second

// releaseUnconfirmed releases what lease stores may have granted that did not reply when they were last asked. The lease must not
// be used afterwards.
func (g *Gateway) releaseUnconfirmed(lease *lease) {
	for _, store := range lease.unconfirmed {
		g.handoffs[store].owed.Add(1)
		time.AfterFunc(stragglerGrace, func() {
			g.releaseLater(lease, []LeaseStore{store})
			g.handoffs[store].owed.Add(-1)
		})
	}
}

// releaseLater has the lease released in lease stores that are unavailable now.
func (g *Gateway) releaseLater(lease *lease, unavailable []LeaseStore) {
	over := orphanLease{key: lease.key, token: lease.token, ends: time.Now().Add(lease.length)}
	for _, store := range unavailable {
		queue := g.handoffs[store]
		queue.owed.Add(1)
		select {
		case queue.orphans <- over:
		default: // it ends by itself
			queue.owed.Add(-1)
		}
	}
}

// RunHandoff brings answers to the lease stores that missed them, and releases there the leases of flights that are over, until
// the context ends. No lease store waits for another, and no request for any of them.
func (g *Gateway) RunHandoff(ctx context.Context) {
	ctx = dependency.InBackground(ctx)
	var all sync.WaitGroup
	for store, queue := range g.handoffs {
		all.Go(func() {
			deliver(ctx, queue.hints, func(h hint) bool {
				done := g.deliverHint(ctx, store, h)
				if done {
					queue.read.Delete(h.Key)
					queue.owed.Add(-1)
				}
				return done
			})
		})
		all.Go(func() {
			deliver(ctx, queue.orphans, func(o orphanLease) bool {
				done := releaseOrphan(ctx, store, o)
				if done {
					queue.owed.Add(-1)
				}
				return done
			})
		})
	}
	all.Wait()
}

// handoffPatience bounds the wait of a replica that shuts down: for stragglers, and as long again as half of that for what follows.
const handoffPatience = stragglerGrace * 3 / 2

// FinishHandoff returns when each lease store has what it missed, or is unavailable, while RunHandoff goes on. It returns as well when
// the context ends, and after one and a half seconds. What is not delivered by then the other lease store has, or it ends with its lease.
func (g *Gateway) FinishHandoff(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, handoffPatience)
	defer cancel()
	for store, queue := range g.handoffs {
		for queue.owed.Load() > 0 && store.Up() && dependency.Sleep(ctx, handoffPause) == nil {
		}
	}
}

// deliver takes one thing after another from the queue, without a rest: until both lease stores have an answer, an outage of the other one
// has it called for again. One at a time is little for a lease store that comes back and has requests to serve. What is not done goes
// behind the others, for which nothing may stand in the way.
func deliver[T any](ctx context.Context, queue chan T, done func(T) bool) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case one := <-queue:
			for !done(one) {
				if dependency.Sleep(ctx, handoffPause) != nil {
					return
				}
				select {
				case queue <- one:
					one = <-queue
				default: // it is full, or was filled meanwhile
				}
			}
		}
	}
}

// firstRefusalPause is how soon an answer comes again that was refused. Each further pause is twice as long.
const firstRefusalPause = 50 * time.Millisecond

// deliverHint reports whether nothing is left to do: the answer arrived, expired, or will never be taken. A refused one comes again,
// until the length of a lease has passed. The lease that stands in its way may be one of a flight that lets go of it at once, or one
// whose holder does not know of it, granted just when the lease store became unavailable.
func (g *Gateway) deliverHint(ctx context.Context, store LeaseStore, h hint) bool {
	if time.Until(h.ExpiresAt) <= 0 {
		return true
	}
	receipt, err := store.Settle(ctx, h.Settlement)
	if err == nil && !receipt.Stored {
		g.handOffAgain(store, h)
	}
	return err == nil || errors.Is(err, dependency.ErrNever)
}

// handOffAgain has a refused answer come again, the last time when the lease in its way has ended.
func (g *Gateway) handOffAgain(store LeaseStore, h hint) {
	if h.refused.IsZero() {
		h.refused, h.pause = time.Now(), firstRefusalPause
	}
	left := time.Until(h.refused.Add(g.Lease))
	if left <= 0 {
		return
	}
	time.AfterFunc(min(h.pause, left), func() {
		h.pause *= 2
		g.handOff([]LeaseStore{store}, h)
	})
}

// releaseOrphan reports whether nothing is left to do: the lease is released, or has ended.
func releaseOrphan(ctx context.Context, store LeaseStore, o orphanLease) bool {
	return time.Until(o.ends) <= 0 || store.Release(ctx, o.key, o.token) == nil
}
