package check

import (
	"fmt"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// soonest is the shortest advice that means anything: the header counts whole seconds, and 0 says come at once.
const soonest = time.Second

// RetryAfterHonest: every refusal tells the client when to come back, and means it. It carries a Retry-After of at least
// 1 s and at most the plan's ParamRetryAfter; and who asked for the same key again when that time had passed was not refused
// again with the same status, unless a fault lay in between. A fault excuses refusals from its order until ParamRetryAfter
// after the order to heal it: what shields the service from it may stay up for so long. Unknown if nothing was refused, or
// if the plan does not say how long an advice may be.
func RetryAfterHonest() Check { return complete("RetryAfterHonest", retryAfterHonest) }

func retryAfterHonest(run *evidence.Run) Verdict {
	longest, stated := run.Param(evidence.ParamRetryAfter)
	a := advice{run: run, most: longest, last: map[question]*evidence.Call{}, why: tally{}}
	for i, b := range eachBrief(run) {
		if len(a.last) == 0 && b.Outcome != evidence.Refused {
			continue // there is no advice that it could follow
		}
		c := run.CallAt(i)
		a.follow(c)
		if c.Outcome == evidence.Refused {
			a.judge(c, stated)
		}
	}
	figures := map[string]float64{"refused": float64(a.refused), "dishonest": float64(len(a.culprits)), "came_back": float64(a.followed),
		"longest_advice_ms": ms(a.longest)}
	switch {
	case len(a.culprits) > 0:
		return fail(figures, a.culprits, "%d refusals did not tell when to come back: %s", len(a.culprits), a.why)
	case !stated:
		return unknown("the plan lacks the longest advice to come back").with(figures)
	case a.refused == 0:
		return unknown("no request was refused").with(figures)
	}
	return pass(figures, "%d refusals told when to come back, within %.0f ms at most, and %d who followed the advice were not refused again",
		a.refused, ms(a.longest), a.followed)
}

// question is what a client asks again: the same key, of the same tenant.
type question struct{ tenant, key string }

// advice gathers what refusals advised, and what became of it.
type advice struct {
	run               *evidence.Run
	most, longest     time.Duration
	last              map[question]*evidence.Call // the latest refusal
	refused, followed int
	why               tally
	culprits          []uint64
}

func (a *advice) blame(c *evidence.Call, what string) {
	a.why[what]++
	a.culprits = append(a.culprits, c.Seq)
}

// judge looks at the advice itself.
func (a *advice) judge(c *evidence.Call, stated bool) {
	a.refused++
	a.longest = max(a.longest, c.RetryAfter)
	switch {
	case c.RetryAfter < soonest:
		a.blame(c, "advised less than a second")
	case stated && c.RetryAfter > a.most:
		a.blame(c, fmt.Sprintf("advised more than %s", a.most))
	}
	a.last[question{c.Tenant, c.Key}] = c
}

// follow looks at a request that may follow an earlier advice.
func (a *advice) follow(c *evidence.Call) {
	before, refused := a.last[question{c.Tenant, c.Key}]
	if !refused || c.Sent < before.End+before.RetryAfter {
		return
	}
	switch {
	case c.Outcome != evidence.Refused:
		a.followed++
		delete(a.last, question{c.Tenant, c.Key})
	case c.Status == before.Status && !a.disturbed(span{before.Sent, c.End}):
		a.blame(before, "were repeated to a client that had followed the advice")
	}
}

// disturbed says whether a fault may have been felt meanwhile.
func (a *advice) disturbed(meanwhile span) bool {
	for in := range a.run.Injections() {
		felt := span{in.Ordered, forever}
		if in.Healing != 0 {
			felt.to = in.Healing + a.most
		}
		if felt.meets(meanwhile) {
			return true
		}
	}
	return false
}
