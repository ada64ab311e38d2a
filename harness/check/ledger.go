package check

import (
	"fmt"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// lifetimeMargin is taken off the lifetime of an answer, since it counts from the moment at which the answer was stored,
// a little after the upstream call ended.
const lifetimeMargin = time.Second

// ledger is the upstream's own record of its calls.
type ledger struct {
	calls []*evidence.Upstream // by arrival
	byID  *index               // their places
	flaw  string               // why it cannot be the whole ledger; empty if nothing speaks against it
	wrong bool                 // more is amiss than that calls are missing: those that it has are not to be believed either
}

// readLedger takes the ledger and looks for holes: ids are unique, and the calls of each key are numbered from 1.
func readLedger(run *evidence.Run) *ledger { return evidence.Derive(run, newLedger) }

func newLedger(run *evidence.Run) *ledger {
	n, k := count(run.EachUpstream()), readKeys(run)
	l := &ledger{calls: make([]*evidence.Upstream, 0, n)}
	l.byID = newIndex(n, func(place int32) string { return l.calls[place].ID })
	last := make([]uint64, k.total)
	for i, u := range run.EachUpstream() {
		last := &last[k.call[i]]
		l.calls = append(l.calls, u)
		switch twice := l.byID.add(u.ID, int32(i)) != none; {
		case twice:
			l.object("the upstream's ledger lists call %s twice", u.ID)
		case u.Billed != (u.Outcome == evidence.UpstreamOK):
			l.object("the upstream's ledger contradicts itself: call %s ended %q, billed %t", u.ID, u.Outcome, u.Billed)
		case u.Outcome != evidence.UpstreamRunning && u.Ended < u.Arrived:
			l.object("the upstream's ledger contradicts itself: call %s ended before it arrived", u.ID)
		case u.Key != "" && u.N > *last+1:
			l.lack("the upstream's ledger has a hole: call %s is number %d of its key, after number %d", u.ID, u.N, *last)
		case u.Key != "" && u.N <= *last:
			l.object("the upstream's ledger has a hole: call %s is number %d of its key, after number %d", u.ID, u.N, *last)
		}
		*last = u.N
	}
	if len(l.calls) == 0 {
		l.lack("there is no ledger of the upstream")
	}
	return l
}

func (l *ledger) object(format string, args ...any) {
	l.wrong = true
	l.lack(format, args...)
}

func (l *ledger) lack(format string, args ...any) {
	if l.flaw == "" {
		l.flaw = fmt.Sprintf(format, args...)
	}
}

// call finds a call by its id.
func (l *ledger) call(id string) (*evidence.Upstream, bool) { return l.at(l.place(id)) }

// place finds the place of a call by its id; none if there is no such call.
func (l *ledger) place(id string) int32 { return l.byID.find(id) }

// seeker finds the places of calls by their ids. Answers and rows come in nearly the order of the calls that they name, so it
// looks first where it found the last one, and behind that.
func (l *ledger) seeker() func(id string) int32 {
	last := none
	return func(id string) int32 {
		if l.flaw == "" { // no two calls have one id
			for likely := max(last, 0); likely <= last+1 && int(likely) < len(l.calls); likely++ {
				if l.calls[likely].ID == id {
					last = likely
					return last
				}
			}
		}
		last = l.place(id)
		return last
	}
}

// at gives the call at a place, which may be none.
func (l *ledger) at(place int32) (*evidence.Upstream, bool) {
	if place == none {
		return nil, false
	}
	return l.calls[place], true
}

// endOf is the moment at which a call ended; one that was still running when the ledger was read has not ended.
func endOf(u *evidence.Upstream) time.Duration {
	if u.Ended == 0 || u.Outcome == evidence.UpstreamRunning {
		return forever
	}
	return u.Ended
}

// lifetimeOf is how long after the end of a call its answer is certainly still stored.
func lifetimeOf(run *evidence.Run) (time.Duration, bool) {
	d, ok := run.Param(evidence.ParamLifetime)
	return d - lifetimeMargin, ok && d > lifetimeMargin
}
