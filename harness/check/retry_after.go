package check

import (
	"errors"
	"fmt"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// soonest is the shortest advice that means anything: the header counts whole seconds, and 0 says come at once.
const soonest = time.Second

// RetryAfterHonest: every refusal tells the client when to come back, and means it. It carries a Retry-After of at least
// 1 s and at most the plan's ParamRetryAfter. A user who asked with the same key again when that time had passed was not refused
// again with the same status, unless a fault lay in between. A fault excuses refusals from its order until ParamRetryAfter
// after the order to heal it: what shields the service from it may stay up for so long. Unknown if nothing was refused, or
// if the plan does not say how long an advice may be.
func RetryAfterHonest() Check { return New("RetryAfterHonest", retryAfterHonest) }

func retryAfterHonest(r *Run) (Verdict, error) {
	longest, unstated := r.NeedParam(evidence.ParamRetryAfter)
	a := advice{run: r.Run, most: longest, last: map[question]*evidence.Request{}}
	for _, q := range evidence.Requests.Each(r.Run) {
		a.follow(q)
		if q.Outcome == evidence.Refused {
			a.judge(q, unstated == nil)
		}
	}
	figures := map[string]float64{"refused": float64(a.refused), "dishonest": float64(a.dishonest.N()), "came_back": float64(a.followed),
		"longest_advice_ms": Milliseconds(a.longest)}
	switch {
	case a.dishonest.N() > 0:
		return Failf(figures, a.dishonest.Requests(), "%d refusals did not tell when to come back: %s", a.dishonest.N(), &a.dishonest), nil
	case unstated != nil:
		return Verdict{Figures: figures}, unstated
	case a.refused == 0:
		return Verdict{Figures: figures}, errors.New("no request was refused")
	}
	return Passf(figures, "%d refusals told when to come back, within %.0f ms at most, and %d who followed the advice were not refused again",
		a.refused, Milliseconds(a.longest), a.followed), nil
}

// question is what a client asks again: the same key, of the same user.
type question struct{ user, key string }

// advice gathers what refusals advised, and what became of it.
type advice struct {
	run               *evidence.Run
	most, longest     time.Duration
	last              map[question]*evidence.Request // the latest refusal
	refused, followed int
	dishonest         Findings
}

// judge looks at the advice itself.
func (a *advice) judge(q *evidence.Request, stated bool) {
	a.refused++
	a.longest = max(a.longest, q.RetryAfter)
	switch {
	case q.RetryAfter < soonest:
		a.dishonest.Add("advised less than a second", q.Seq)
	case stated && q.RetryAfter > a.most:
		a.dishonest.Add(fmt.Sprintf("advised more than %s", a.most), q.Seq)
	}
	if q.Key != "" { // else nobody knows which request is the same one again
		a.last[question{q.User, q.Key}] = q
	}
}

// follow looks at a request that may follow an earlier advice.
func (a *advice) follow(q *evidence.Request) {
	before, refused := a.last[question{q.User, q.Key}]
	if !refused || q.Sent < before.End+before.RetryAfter {
		return
	}
	switch {
	case q.Outcome != evidence.Refused:
		a.followed++
		delete(a.last, question{q.User, q.Key})
	case q.Status == before.Status && !a.disturbed(evidence.Span{From: before.Sent, To: q.End}):
		a.dishonest.Add("were repeated to a client that had followed the advice", before.Seq)
	}
}

// disturbed reports whether a fault may have been felt meanwhile.
func (a *advice) disturbed(meanwhile evidence.Span) bool {
	for _, in := range evidence.Injections.Each(a.run) {
		if in.Felt(a.most).Meets(meanwhile) {
			return true
		}
	}
	return false
}
