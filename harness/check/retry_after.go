package check

import (
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// onItsWay is how much later than the end of a refusal a call may arrive that was made before its caller knew of it.
const onItsWay = 250 * time.Millisecond

// RetryAfterHonoured: a caller that the upstream told to come again after a time did not call before that, for whatever
// key. Calls that were on their way already do not count. Unknown unless the upstream did tell somebody, and requests that
// no stored answer served were due in such a time.
func RetryAfterHonoured() Check { return complete("RetryAfterHonoured", retryAfterHonoured) }

func retryAfterHonoured(run *evidence.Run) Verdict {
	if _, ok := lifetimeOf(run); !ok {
		return unknown("the plan lacks the lifetime of answers, which tells hits from misses")
	}
	l := readLedger(run)
	if l.flaw != "" {
		return unknown("%s", l.flaw)
	}
	rests := restsAsked(l.calls)
	var early, asked int
	var first *evidence.Upstream
	for _, u := range l.calls {
		if rests.hold(u.Caller, u.Arrived) {
			if early++; early == 1 {
				first = u
			}
		}
	}
	answers := readHits(run)
	for i, c := range eachBrief(run) {
		if !answers[i] && rests.holdAny(c.Due) {
			asked++
		}
	}
	figures := map[string]float64{"asked_to_wait": float64(len(rests)), "early": float64(early), "misses_meanwhile": float64(asked)}
	switch {
	case early > 0:
		return fail(figures, nil, "%d calls reached the upstream before the time that it had told their caller; the first is %s by %s", early, first.ID, first.Caller)
	case len(rests) == 0:
		return unknown("the upstream told nobody to come again later").with(figures)
	case asked == 0:
		return unknown("no miss was due while a caller was to stay away").with(figures)
	}
	return pass(figures, "%d times a caller was told to stay away, and did, though %d misses were due meanwhile", len(rests), asked)
}

// rest is a time for which a caller was told to stay away.
type rest struct {
	caller string
	span
}

type rests []rest

func restsAsked(calls []*evidence.Upstream) (all rests) {
	for _, u := range calls {
		if s := (span{u.Ended + onItsWay, u.Ended + u.RetryAfter - 1}); u.RetryAfter > 0 && s.from <= s.to {
			all = append(all, rest{u.Caller, s})
		}
	}
	return all
}

func (rs rests) hold(caller string, t time.Duration) bool {
	for _, r := range rs {
		if r.caller == caller && r.holds(t) {
			return true
		}
	}
	return false
}

func (rs rests) holdAny(t time.Duration) bool {
	for _, r := range rs {
		if r.holds(t) {
			return true
		}
	}
	return false
}
