package service

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/sentinel-chaos/sentinel/service/patience"
)

// settle stores the answer and its row before anybody is told, in every authority that is up. The last authority goes
// first: it writes answer and row in one transaction, and the row then needs no journal. A holder that was frozen past its
// lease, or whose answer nobody took, asks for the flight again, answer in hand: another holder may have brought a newer
// one, or be about to.
func (g *Gateway) settle(h *hold, answer Answer, row Row) landing {
	came := earlier(time.Now(), h.until) // an answer that a frozen holder had all the while is older than it seems
	s := Settlement{Key: h.key, Token: h.token, Answer: answer, Dies: came.Add(g.lifetime()), Row: &row}
	ctx, cancel := context.WithDeadline(g.base, earlier(s.Dies, time.Now().Add(g.Patience)))
	defer cancel()
	for pause := (patience.Pause{Next: firstPoll, Most: longestPoll}); ; {
		if !h.held() {
			if l, landed := g.seek(ctx, h); landed {
				g.record(s.Row)
				return l
			}
		}
		stored, missed := g.settleAll(ctx, h.authorities, &s)
		if stored {
			g.settleLater(missed, s)
			return landing{answer: answer, source: Call}
		}
		if len(missed) < len(h.authorities) {
			h.until = time.Time{} // lost to whoever holds the flight, or was first
		}
		if err := pause.Wait(ctx); err != nil {
			g.record(s.Row)
			return landing{err: &Unavailable{Reason: ReasonNoAuthority, RetryAfter: retrySoon, Err: err}}
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// record books a call whose row no authority took: it is billed, whether or not somebody gets its answer.
func (g *Gateway) record(row *Row) {
	if row != nil {
		g.Ledger.Record(g.base, *row)
	}
}

// settleAll settles s with every authority, last to first. It tells whether one of them has the answer, and which ones
// stayed silent. Once one has taken the row the others get none.
func (g *Gateway) settleAll(ctx context.Context, authorities []Authority, s *Settlement) (stored bool, missed []Authority) {
	for _, authority := range slices.Backward(authorities) {
		receipt, err := authority.Settle(ctx, *s)
		if err != nil {
			missed = append(missed, authority)
			continue
		}
		stored = stored || receipt.Stored
		if s.Row != nil && receipt.Mark != "" {
			g.Ledger.Keep(Entry{Row: *s.Row, Mark: receipt.Mark})
		}
		s.Row = nil
	}
	return stored, missed
}

// give hands an answer that one authority had to those that granted the flight for want of it, which also ends the hold there.
func (g *Gateway) give(h *hold, from int, reply *Reply) {
	s := Settlement{Key: h.key, Token: h.token, Answer: reply.Answer, Dies: reply.Dies}
	for _, authority := range h.authorities[:from] {
		_, _ = authority.Settle(g.base, s) // silent: it will be asked, and given, again
	}
}

// yield gives back what was granted beside a refusal, so that the one who refused can have it.
func (h *hold) yield(ctx context.Context, replies []Reply) {
	for i, reply := range replies {
		if reply.Verdict == Granted {
			_ = h.authorities[i].Release(ctx, h.key, h.token)
		}
	}
}

// abandon ends the hold without an answer. Its token is never used again, so that it can be given back at any time.
func (g *Gateway) abandon(h *hold) {
	over := claim{key: h.key, token: h.token, ends: time.Now().Add(h.lease)}
	for _, authority := range h.release(context.WithoutCancel(g.base)) {
		select {
		case g.late[authority].claims <- over:
		default: // it ends with its lease
		}
	}
}

// late is what an authority missed while it was silent.
type late struct {
	answers chan Settlement
	claims  chan claim
}

// claim is what an authority may have granted to a flight that is over. It keeps others out until it ends.
type claim struct {
	key, token string
	ends       time.Time
}

func newLate() late {
	return late{answers: make(chan Settlement, lateRoom), claims: make(chan claim, lateRoom)}
}

// Bounds of the work that is left for later, for each authority: room for some seconds of calls, and pauses that cost nothing
// while the line to the authority knows it to be silent. The first is short: until an answer is in both authorities, the
// silence of the other one has it called for again. What is dropped costs no promise while the other authority lives.
const (
	lateRoom       = 1024
	firstLatePause = 10 * time.Millisecond
	latePause      = 200 * time.Millisecond
)

func (g *Gateway) settleLater(missed []Authority, s Settlement) {
	for _, authority := range missed {
		select {
		case g.late[authority].answers <- s:
		default:
			g.Log.Warn("no room to settle an answer later", "key", s.Key)
		}
	}
}

// Backfill brings answers to the authorities that missed them, and gives back what they hold for flights that are over, until
// the context ends. None waits for another.
func (g *Gateway) Backfill(ctx context.Context) {
	var all sync.WaitGroup
	for authority, late := range g.late {
		all.Go(func() {
			catchUp(ctx, late.answers, func(s Settlement) bool { return settledLate(ctx, authority, s) })
		})
		all.Go(func() {
			catchUp(ctx, late.claims, func(c claim) bool { return givenBack(ctx, authority, c) })
		})
	}
	all.Wait()
}

// catchUp does one thing after another, each until it is done, and rests after each for as long as it took, within
// bounds: an authority that comes back has requests to serve.
func catchUp[T any](ctx context.Context, missed <-chan T, done func(T) bool) {
	for {
		select {
		case <-ctx.Done():
			return
		case one := <-missed:
			began := time.Now()
			for pause := (patience.Pause{Next: firstLatePause, Most: latePause}); !done(one); began = time.Now() {
				if pause.Wait(ctx) != nil {
					return
				}
			}
			if patience.Sleep(ctx, min(time.Since(began), latePause)) != nil {
				return
			}
		}
	}
}

// settledLate reports whether nothing is left to do: the answer arrived, or died.
func settledLate(ctx context.Context, authority Authority, s Settlement) bool {
	if time.Until(s.Dies) <= 0 {
		return true
	}
	_, err := authority.Settle(ctx, s)
	return err == nil
}

// givenBack reports whether nothing is left to do: the claim is gone, or over.
func givenBack(ctx context.Context, authority Authority, c claim) bool {
	return time.Until(c.ends) <= 0 || authority.Release(ctx, c.key, c.token) == nil
}

// Wait returns when every flight has landed. When the context ends first it aborts them and returns the context's error.
func (g *Gateway) Wait(ctx context.Context) error {
	defer g.cut()
	return g.flights.wait(ctx)
}
