package service

import (
	"context"
	"fmt"
	"runtime/debug"
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
			g.settleLater(missed, missedAnswer{Settlement: s})
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

// settleSlow is how long a settlement waits for one authority before it goes to the next as well. While it waits for one to be
// called silent, those who can ask the other one alone know nothing of the answer, and would call again.
const settleSlow = 50 * time.Millisecond

// settleAll settles s with every authority, last to first. It tells whether one of them has the answer, and which ones
// stayed silent. Once one has taken the row the others get none; two that are asked at a time may both take it, which books
// it once.
func (g *Gateway) settleAll(ctx context.Context, authorities []Authority, s *Settlement) (stored bool, missed []Authority) {
	outcomes := make(chan outcome, len(authorities))
	ask := func(authority Authority, s Settlement) {
		o := outcome{authority: authority, row: s.Row}
		defer func() {
			if defect := recover(); defect != nil {
				o.err = fmt.Errorf("settlement panicked: %v\n%s", defect, debug.Stack())
				g.Log.Error("settle", "key", s.Key, "error", o.err)
			}
			outcomes <- o
		}()
		o.Receipt, o.err = authority.Settle(ctx, s)
	}
	for i, asked := len(authorities)-1, 0; i >= 0 || asked > 0; {
		if asked == 0 {
			go ask(authorities[i], *s)
			i, asked = i-1, asked+1
		}
		var slow <-chan time.Time
		if i >= 0 {
			slow = time.After(settleSlow)
		}
		select {
		case <-slow:
			go ask(authorities[i], *s)
			i, asked = i-1, asked+1
		case o := <-outcomes:
			asked--
			if o.err != nil {
				missed = append(missed, o.authority)
				continue
			}
			stored = stored || o.Stored
			if o.row != nil && o.Mark != "" {
				g.Ledger.Keep(Entry{Row: *o.row, Mark: o.Mark})
			}
			s.Row = nil
		}
	}
	return stored, missed
}

// outcome is what became of a settlement with one authority.
type outcome struct {
	authority Authority
	row       *Row // that went along
	Receipt
	err error
}

// give hands an answer that one authority had to those that granted the flight for want of it, which also ends the hold there. One
// that is silent gets it later: it may come back empty, and the other one may fall silent before somebody asks again.
func (g *Gateway) give(h *hold, from int, reply *Reply) {
	s := Settlement{Key: h.key, Token: h.token, Answer: reply.Answer, Dies: reply.Dies}
	for _, authority := range h.authorities[:from] {
		if _, err := authority.Settle(g.base, s); err != nil {
			g.giveLater(authority, s)
		}
	}
}

// giveLater owes an authority an answer that was read, once for all who read it. Those that calls brought have the other half of
// the room.
func (g *Gateway) giveLater(to Authority, s Settlement) {
	late := g.late[to]
	if len(late.answers) >= lateRoom/2 {
		return
	}
	if _, owed := late.read.LoadOrStore(s.Key, true); !owed {
		g.settleLater([]Authority{to}, missedAnswer{Settlement: s})
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
	g.giveBackLater(h, h.release(context.WithoutCancel(g.base)))
}

// straggling is how long a question may be under way that nobody waits for any more.
const straggling = time.Second

// forgo gives back what authorities may have granted that said nothing when they were last asked. The hold must be over. What a
// replica that shuts down does not get to ends with its lease.
func (g *Gateway) forgo(h *hold) {
	if len(h.unheard) > 0 {
		time.AfterFunc(straggling, func() { g.giveBackLater(h, h.unheard) })
	}
}

// giveBackLater has the authorities told, once they answer, that the hold is over.
func (g *Gateway) giveBackLater(h *hold, untold []Authority) {
	over := claim{key: h.key, token: h.token, ends: time.Now().Add(h.lease)}
	for _, authority := range untold {
		select {
		case g.late[authority].claims <- over:
		default: // it ends with its lease
		}
	}
}

// late is what an authority missed while it was silent.
type late struct {
	answers chan missedAnswer
	claims  chan claim
	read    sync.Map // keys of those answers that were read
}

type missedAnswer struct {
	Settlement
	refused bool // by a hold that is over by now
}

// claim is what an authority may have granted to a flight that is over. It keeps others out until it ends.
type claim struct {
	key, token string
	ends       time.Time
}

func newLate() *late {
	return &late{answers: make(chan missedAnswer, lateRoom), claims: make(chan claim, lateRoom)}
}

// Bounds of the work that is left for later, for each authority: room for some seconds of calls, pauses between attempts, which
// cost nothing while the line to the authority knows it to be silent, and rests. What a short silence left is brought at once,
// several at a time: until an answer is in both authorities, the silence of the other one has it called for again. Of more than
// that, all together take half of a connection's time. What is dropped costs no promise while the other authority lives.
const (
	lateRoom    = 1024
	latePause   = 20 * time.Millisecond
	lateHands   = 4
	lateFew     = 32 // waiting; a second's calls of one replica are that many
	longestRest = time.Second
)

func (g *Gateway) settleLater(missed []Authority, a missedAnswer) {
	for _, authority := range missed {
		select {
		case g.late[authority].answers <- a:
		default:
			g.late[authority].read.Delete(a.Key)
			g.Log.Warn("no room to settle an answer later", "key", a.Key)
		}
	}
}

// Backfill brings answers to the authorities that missed them, and gives back what they hold for flights that are over, until
// the context ends. None waits for another.
func (g *Gateway) Backfill(ctx context.Context) {
	var all sync.WaitGroup
	for authority, late := range g.late {
		for range lateHands {
			all.Go(func() {
				catchUp(ctx, lateHands, late.answers, func(a missedAnswer) bool {
					settled := g.settledLate(ctx, authority, a)
					if settled {
						late.read.Delete(a.Key)
					}
					return settled
				})
			})
		}
		all.Go(func() {
			catchUp(ctx, 1, late.claims, func(c claim) bool { return givenBack(ctx, authority, c) })
		})
	}
	all.Wait()
}

// catchUp does one thing after another, each until it is done, as one of so many hands. While many things wait it rests after
// each, within bounds: an authority that comes back has requests to serve.
func catchUp[T any](ctx context.Context, hands time.Duration, missed <-chan T, done func(T) bool) {
	for {
		select {
		case <-ctx.Done():
			return
		case one := <-missed:
			began := time.Now()
			for ; !done(one); began = time.Now() {
				if patience.Sleep(ctx, latePause) != nil {
					return
				}
			}
			if len(missed) > lateFew && patience.Sleep(ctx, min((2*hands-1)*time.Since(began), longestRest)) != nil {
				return
			}
		}
	}
}

// settledLate reports whether nothing is left to do: the answer arrived, or died. One that is refused comes again when a lease has
// passed: the hold that stands in its way may be one that nobody knows of, granted just when the authority fell silent.
func (g *Gateway) settledLate(ctx context.Context, authority Authority, a missedAnswer) bool {
	if time.Until(a.Dies) <= 0 {
		return true
	}
	receipt, err := authority.Settle(ctx, a.Settlement)
	if err == nil && !receipt.Stored && !a.refused {
		a.refused = true
		time.AfterFunc(g.Lease, func() { g.settleLater([]Authority{authority}, a) })
	}
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
