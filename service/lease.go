package service

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/service/dependency"
)

// lease is one flight's lease of its key, as its holder sees it.
type lease struct {
	stores      []LeaseStore // asked in this order by everybody, so that two askers cannot hold one each for long
	key, token  string
	length      time.Duration
	until       time.Time    // the holder's own, early view of the lease's end
	missing     []LeaseStore // did not grant when last asked
	unconfirmed []LeaseStore // did not reply when last asked, and may have granted
	hit         *Row         // to be written if a lease store has the answer
}

func newLease(stores []LeaseStore, hit Row, length time.Duration) *lease {
	return &lease{stores: stores, key: hit.Key, token: rand.Text(), length: length, hit: &hit}
}

// acquire asks the lease stores in turn. It stops at the first that refuses or has the answer: a later one might grant what would
// have to be released again. A lease store that does not reply says nothing of the next one.
func (l *lease) acquire(ctx context.Context) []Reply {
	asked := time.Now() // before the request leaves: the lease ends later in the lease store than here
	replies := make([]Reply, len(l.stores))
	l.missing = nil
	for i, store := range l.stores {
		reply, err := l.acquireFrom(ctx, store, l.hit)
		if err != nil {
			l.missing = append(l.missing, store)
			continue // NoReply, the zero Reply
		}
		replies[i] = reply
		if reply.Verdict == Refused || reply.Verdict == Answered {
			return replies
		}
	}
	if mayCall(replies) {
		l.until = asked.Add(l.length)
	}
	return replies
}

// acquireFrom asks one lease store.
func (l *lease) acquireFrom(ctx context.Context, store LeaseStore, hit *Row) (Reply, error) {
	reply, err := store.Acquire(ctx, l.key, l.token, l.length, hit)
	l.unconfirmed = slices.DeleteFunc(l.unconfirmed, func(other LeaseStore) bool { return other == store })
	if err != nil {
		l.unconfirmed = append(l.unconfirmed, store)
	}
	return reply, err
}

// missingIsUp reports whether a lease store that did not reply in this round may be asked again by now: its outage ended before the
// other lease store granted, or just after, or it replied to others and was late for this flight. It may have the answer, which the
// other one missed, or may have granted the flight to a replica for which the other one was late.
func (l *lease) missingIsUp() bool { return slices.ContainsFunc(l.missing, LeaseStore.Up) }

// restoreTime is how long a lease store that comes back has until its grant counts alone. It knows nothing of the calls that began in its
// outage, nor of their answers, until their replicas have brought it both. They begin at once, each with a budget at most for what was
// under way, and with some hundreds of answers a second.
const restoreTime = time.Second

// restoring returns for how long what was granted does not allow a call: the lease stores that granted have just come back, and those
// that could know more do not reply.
func (l *lease) restoring(replies []Reply) (left time.Duration) {
	if len(l.missing) == 0 || !mayCall(replies) {
		return 0
	}
	left = restoreTime
	for i, reply := range replies {
		if reply.Verdict == Granted {
			left = min(left, restoreTime-time.Since(l.stores[i].UpSince()))
		}
	}
	return max(left, 0)
}

// mayCall is the rule of the flight: no lease store refused and at least one granted. A lease store that does not reply does not
// count. It has been asked for a whole budget; and whoever could reach it at that moment would be refused by the one that
// granted.
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

func refused(replies []Reply) bool {
	for _, reply := range replies {
		if reply.Verdict == Refused {
			return true
		}
	}
	return false
}

// releasePartial releases what one lease store granted when the other one refused, so that the other one's holder can have it.
func (l *lease) releasePartial(ctx context.Context, replies []Reply) {
	for i, reply := range replies {
		if reply.Verdict == Granted {
			_ = l.stores[i].Release(ctx, l.key, l.token)
		}
	}
}

// release releases what was granted, also by a lease store whose grant was not heard. It returns the lease stores that did not
// reply.
func (l *lease) release(ctx context.Context) (unavailable []LeaseStore) {
	for _, store := range l.stores {
		if store.Release(ctx, l.key, l.token) != nil {
			unavailable = append(unavailable, store)
		}
	}
	return unavailable
}

// How many renewals there are in one lease. One may fail, and the next ones come sooner.
const (
	renewals = 3
	retries  = 10
)

// renewLoop renews the lease while a call is under way. It aborts the call when somebody else holds the flight. It also aborts the
// call shortly before the lease ends, if no lease store has renewed it by then. It returns when the context ends.
func (l *lease) renewLoop(ctx context.Context, abort context.CancelCauseFunc) {
	deadline := dependency.StartDeadline(l.abortAt(), func() { abort(errLeaseLost) })
	defer func() {
		<-ctx.Done()
		deadline.Stop()
	}()
	for renewal := time.Now().Add(l.length / renewals); ; {
		if l.acquireMissing(ctx, renewal) {
			deadline.Reset(l.abortAt())
		}
		if dependency.Sleep(ctx, l.nextPoll(renewal)) != nil {
			return
		}
		if time.Now().Before(renewal) {
			continue
		}
		if !l.valid() {
			return // the process stood still: the deadline is firing, and a lease that has ended is not renewed
		}
		switch l.renew(ctx) {
		case Granted:
			deadline.Reset(l.abortAt())
			renewal = time.Now().Add(l.length / renewals)
		case Refused:
			abort(errLeaseLost)
			return
		default:
			renewal = time.Now().Add(l.length / retries)
		}
	}
}

// renew asks every lease store for as much time again. One grant is enough. A refusal beside a grant may come from a claim that
// was left behind while its lease store was away. Or it comes from another replica's passing lock: that replica got the lock
// while it was free, is refused where this one is granted, and releases the lock. Without a grant the last reply decides.
func (l *lease) renew(ctx context.Context) Verdict {
	ctx, cancel := context.WithDeadline(ctx, l.abortAt()) // near: it goes before requests that wait for their slot
	defer cancel()
	asked, verdict := time.Now(), NoReply
	l.missing = nil
	for _, store := range l.stores {
		reply, err := l.acquireFrom(ctx, store, nil)
		if err == nil && verdict != Granted {
			verdict = reply.Verdict
		}
		if err != nil || reply.Verdict != Granted {
			l.missing = append(l.missing, store)
		}
	}
	if verdict == Granted {
		l.until = asked.Add(l.length)
	}
	return verdict
}

// unconfirmedPoll is how often a holder asks a lease store that did not reply. Until that lease store grants, only the other one
// keeps other replicas out. If the other one then becomes unavailable, a replica that reaches only the first calls again,
// and a call takes some hundreds of milliseconds. Asking costs nothing while the gate knows the lease store to be unavailable.
const unconfirmedPoll = 20 * time.Millisecond

// nextPoll is how long nothing needs to be asked. A lease store that refused is asked as often as those ask who wait for the key.
func (l *lease) nextPoll(renewal time.Time) time.Duration {
	pause := time.Until(renewal)
	switch {
	case len(l.unconfirmed) > 0:
		return min(pause, unconfirmedPoll)
	case len(l.missing) > 0:
		return min(pause, longestPoll)
	}
	return pause
}

// acquireMissing asks the lease stores that did not grant, until the next renewal is due, and reports whether one does now. A
// grant renews the lease. A refusal does not end the call, as in renew; nor is a lease extended that has ended.
func (l *lease) acquireMissing(ctx context.Context, renewal time.Time) (granted bool) {
	if len(l.missing) == 0 || !l.valid() {
		return false
	}
	ctx, cancel := context.WithDeadline(ctx, renewal)
	defer cancel()
	l.missing = slices.DeleteFunc(l.missing, func(store LeaseStore) bool {
		asked := time.Now()
		reply, err := l.acquireFrom(ctx, store, nil)
		if err == nil && reply.Verdict == Granted {
			l.until, granted = later(l.until, asked.Add(l.length)), true
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

// abortMargin divides the length of a lease: a call is aborted that part before the lease ends. By then the upstream has seen
// the caller hang up, and only then may somebody else call.
const abortMargin = 20

// abortAt is when a call must be aborted whose lease is not renewed.
func (l *lease) abortAt() time.Time { return l.until.Add(-l.length / abortMargin) }

// coversCall reports whether a call may begin: one that would have to be aborted at once may not. A lease can end while it is
// acquired, by a wait for a slot on the way to a lease store or since the process stood still.
func (l *lease) coversCall() bool { return time.Now().Before(l.abortAt()) }

// valid reports whether the lease still runs.
func (l *lease) valid() bool { return time.Now().Before(l.until) }

// lose ends the lease in the holder's own view: a lease store replied that somebody else holds the flight, or has settled it.
func (l *lease) lose() { l.until = time.Time{} }

// aborted reports whether renewLoop ended the context.
func aborted(ctx context.Context) bool { return errors.Is(context.Cause(ctx), errLeaseLost) }
