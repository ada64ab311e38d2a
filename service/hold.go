package service

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/service/patience"
)

// hold is one flight's standing with the authorities.
type hold struct {
	authorities []Authority // asked in this order by everybody, so that two askers cannot hold one each for long
	key, token  string
	lease       time.Duration
	until       time.Time   // the holder's own, early view of its lease's end
	lacking     []Authority // did not grant when last asked
	unheard     []Authority // said nothing when last asked, and may have granted
	hit         *Row        // to be noted if an authority has the answer
}

func newHold(authorities []Authority, hit Row, lease time.Duration) *hold {
	return &hold{authorities: authorities, key: hit.Key, token: rand.Text(), lease: lease, hit: &hit}
}

// ask goes to the authorities in turn and stops at the first that refuses or has the answer: asking on would take what
// has to be given back. Silence says nothing of the next one.
func (h *hold) ask(ctx context.Context) []Reply {
	asked := time.Now() // before the request leaves: the authority's lease ends later than ours
	replies := make([]Reply, len(h.authorities))
	h.lacking = nil
	for i, authority := range h.authorities {
		reply, err := h.acquire(ctx, authority, h.hit)
		if err != nil {
			h.lacking = append(h.lacking, authority)
			continue // silent, the zero Reply
		}
		replies[i] = reply
		if reply.Verdict == Refused || reply.Verdict == Answered {
			return replies
		}
	}
	if mayCall(replies) {
		h.until = asked.Add(h.lease)
	}
	return replies
}

// outdated says whether an authority that said nothing may be asked again by now: its silence was an old one, over before the
// other one granted, or just after. It may have the answer, which the other one missed.
func (h *hold) outdated() bool { return slices.ContainsFunc(h.lacking, Authority.Up) }

// acquire asks one authority.
func (h *hold) acquire(ctx context.Context, authority Authority, hit *Row) (Reply, error) {
	reply, err := authority.Acquire(ctx, h.key, h.token, h.lease, hit)
	h.unheard = slices.DeleteFunc(h.unheard, func(other Authority) bool { return other == authority })
	if err != nil {
		h.unheard = append(h.unheard, authority)
	}
	return reply, err
}

// mayCall is the rule of the flight: nobody refused and at least one granted. Silence is left out of it because an
// authority is silent only after a whole budget of attempts, and because whoever could reach it at that moment would
// be refused by the one that granted.
func mayCall(replies []Reply) bool {
	granted := false
	for _, reply := range replies {
		switch reply.Verdict {
		case Refused, Answered:
			return false
		case Granted:
			granted = true
		}
	}
	return granted
}

// release gives back what ask took, or what a silent authority may have granted all the same. It returns those that could
// not be told.
func (h *hold) release(ctx context.Context) (silent []Authority) {
	for _, authority := range h.authorities {
		if authority.Release(ctx, h.key, h.token) != nil {
			silent = append(silent, authority)
		}
	}
	return silent
}

// abortMargin is the part of a lease before whose end a call is aborted, so that the upstream has seen the caller hang up
// before somebody else may call.
const abortMargin = 20

// keep renews the hold while a call is under way. It aborts the call when somebody else holds the flight, and when no
// authority renewed it until shortly before the lease ends. It returns when the context ends.
func (h *hold) keep(ctx context.Context, abort context.CancelCauseFunc) {
	end := patience.Light(h.mustEnd(), func() { abort(errLeaseLost) })
	defer func() {
		<-ctx.Done()
		end.Stop()
	}()
	for renewal := time.Now().Add(h.lease / renewals); ; {
		if h.cover(ctx, renewal) {
			end.PutOff(h.mustEnd())
		}
		if patience.Sleep(ctx, h.rest(renewal)) != nil {
			return
		}
		if time.Now().Before(renewal) {
			continue
		}
		if !h.held() {
			return // it stood still past its moment; the fuse is burning, and a lease that is over is not renewed
		}
		switch h.renew(ctx) {
		case Granted:
			end.PutOff(h.mustEnd())
			renewal = time.Now().Add(h.lease / renewals)
		case Refused:
			abort(errLeaseLost)
			return
		default:
			renewal = time.Now().Add(h.lease / attempts)
		}
	}
}

// How many renewals there are in one lease: one may fail, and the next attempts come sooner.
const (
	renewals = 3
	attempts = 10
)

// rest is how long nothing needs to be asked.
func (h *hold) rest(renewal time.Time) time.Duration {
	pause := time.Until(renewal)
	switch {
	case len(h.unheard) > 0:
		return min(pause, coverPause)
	case len(h.lacking) > 0:
		return min(pause, longestPoll)
	}
	return pause
}

// renew asks every authority for as much time again. One grant is enough: a refusal beside it may come from a claim that
// was left behind while its authority was away, or from another replica that got the lock while it was free and is about
// to give it back, refused by the one that grants here. Without a grant the last one that speaks decides.
func (h *hold) renew(ctx context.Context) Verdict {
	ctx, cancel := context.WithDeadline(ctx, h.mustEnd()) // near: it goes before requests that wait for their turn
	defer cancel()
	asked, said := time.Now(), Silent
	h.lacking = nil
	for _, authority := range h.authorities {
		reply, err := h.acquire(ctx, authority, nil)
		if err == nil && said != Granted {
			said = reply.Verdict
		}
		if err != nil || reply.Verdict != Granted {
			h.lacking = append(h.lacking, authority)
		}
	}
	if said == Granted {
		h.until = asked.Add(h.lease)
	}
	return said
}

// coverPause is how often a hold asks a silent authority. Until that grants, nothing but the other one keeps others out, and a
// call takes some hundreds of ms: if the other one falls silent soon after this one is back, a call that this one does not know
// of is made again. It costs nothing while the line to the authority knows it to be silent. One that refuses is asked as often as
// those do who wait for the key.
const coverPause = 20 * time.Millisecond

// cover asks those that did not grant, until the next renewal is due, and says whether one does now. That renews the hold; a
// refusal does not end the call, as in renew; and as there, a lease that is over is not extended.
func (h *hold) cover(ctx context.Context, renewal time.Time) (granted bool) {
	if len(h.lacking) == 0 || !h.held() {
		return false
	}
	ctx, cancel := context.WithDeadline(ctx, renewal)
	defer cancel()
	h.lacking = slices.DeleteFunc(h.lacking, func(authority Authority) bool {
		asked := time.Now()
		reply, err := h.acquire(ctx, authority, nil)
		if err == nil && reply.Verdict == Granted {
			h.until, granted = later(h.until, asked.Add(h.lease)), true
		}
		return err == nil && reply.Verdict != Refused
	})
	return granted
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// mustEnd is when a call must be aborted that is not renewed.
func (h *hold) mustEnd() time.Time { return h.until.Add(-h.lease / abortMargin) }

// lasts says whether a call may begin: one that would have to be aborted at once may not. A lease can end while it is asked
// for, by a wait for its turn on the way to an authority or since the process stood still.
func (h *hold) lasts() bool { return time.Now().Before(h.mustEnd()) }

func refused(replies []Reply) bool {
	for _, reply := range replies {
		if reply.Verdict == Refused {
			return true
		}
	}
	return false
}

// held says whether the lease still runs.
func (h *hold) held() bool { return time.Now().Before(h.until) }

// aborted says whether the context was ended by keep.
func aborted(ctx context.Context) bool { return errors.Is(context.Cause(ctx), errLeaseLost) }
