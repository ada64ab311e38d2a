package service

import (
	"context"
	"errors"
	"time"

	"github.com/sentinel-chaos/sentinel/service/dependency"
)

// commit settles the flight, so that answer and row are stored in every lease store that is up before a client is answered. The
// last lease store goes first: it writes answer and row in one transaction, and the row then needs no outbox. A holder whose
// lease has ended, or whose answer no lease store took, acquires the flight again with the answer in hand. Another holder may
// have brought a newer answer, or be about to.
func (g *Gateway) commit(lease *lease, answer Answer, row Row) flightResult {
	came := earlier(time.Now(), lease.until) // an answer that a paused holder had all the while is older than it seems
	s := Settlement{Key: lease.key, Token: lease.token, Answer: answer, ExpiresAt: came.Add(g.drawTTL()), Row: &row}
	ctx, cancel := context.WithDeadline(g.base, earlier(s.ExpiresAt, time.Now().Add(g.RequestTimeout)))
	defer cancel()
	for backoff := (dependency.Backoff{Next: firstPoll, Most: longestPoll}); ; {
		if !lease.valid() {
			if result, ended := g.acquire(ctx, lease); ended {
				g.record(s.Row)
				if result.err == nil && result.answer.Token == answer.Token {
					result.source = Call // an attempt to store it came through, and its reply did not
				}
				return result
			}
		}
		stored, missed := g.settle(ctx, lease.stores, &s)
		if stored {
			g.handOff(missed, hint{Settlement: s})
			return flightResult{answer: answer, source: Call}
		}
		if len(missed) < len(lease.stores) {
			lease.lose()
		}
		if err := backoff.Wait(ctx); err != nil {
			g.record(s.Row)
			return flightResult{err: &Unavailable{Reason: ReasonNoAuthority, RetryAfter: retrySoon, Err: err}}
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// record writes the row of a call that no lease store took: it is billed, whether or not somebody gets its answer.
func (g *Gateway) record(row *Row) {
	if row != nil {
		g.Ledger.Record(g.base, *row)
	}
}

// hedgeDelay is how long a settlement waits for one lease store before it goes to the next as well. Until the slow one is
// known to be unavailable, replicas that can reach only the other one know nothing of the answer, and would call again. A
// ledger row waits as long for the outbox.
const hedgeDelay = 50 * time.Millisecond

// settle settles s in every lease store, last to first. It reports whether one of them has the answer, and which ones did not
// reply. Once one has taken the row, those asked later get none. Two that are asked at a time may both take it: the ledger
// store makes them one row.
func (g *Gateway) settle(ctx context.Context, stores []LeaseStore, s *Settlement) (stored bool, missed []LeaseStore) {
	results := make(chan settleResult, len(stores))
	ask := func(store LeaseStore, s Settlement) {
		r := settleResult{store: store, row: s.Row}
		defer func() {
			if defect := recover(); defect != nil {
				r.err = g.panicked("settlement", s.Key, defect)
			}
			results <- r
		}()
		r.Receipt, r.err = store.Settle(ctx, s)
	}
	for i, asked := len(stores)-1, 0; i >= 0 || asked > 0; {
		if asked == 0 {
			go ask(stores[i], *s)
			i, asked = i-1, asked+1
		}
		var slow <-chan time.Time
		if i >= 0 {
			slow = time.After(hedgeDelay)
		}
		select {
		case <-slow:
			go ask(stores[i], *s)
			i, asked = i-1, asked+1
		case r := <-results:
			asked--
			if r.err != nil && errors.Is(r.err, dependency.ErrNever) {
				g.Log.Error("a lease store will never take an answer", "key", s.Key, "call_id", s.Answer.CallID, "error", r.err)
				continue
			}
			if r.err != nil {
				missed = append(missed, r.store)
				continue
			}
			stored = stored || r.Stored
			if r.row != nil && r.Mark != "" {
				g.Ledger.Keep(Entry{Row: *r.row, Mark: r.Mark})
			}
			s.Row = nil
		}
	}
	return stored, missed
}

// settleResult is what became of a settlement in one lease store.
type settleResult struct {
	store LeaseStore
	row   *Row // that went along
	Receipt
	err error
}
