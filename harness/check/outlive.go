package check

import (
	"fmt"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// AnswersOutliveClients: a call that was under way when a client left which waited for it went on to its end, and its answer
// was stored: the next client that asked for the key, a second or more later and within the answer's lifetime, and did not
// leave, was answered with that very call. Unknown unless clients left while calls were under way, and somebody asked again
// for each of their keys.
func AnswersOutliveClients() Check {
	return complete("AnswersOutliveClients", func(run *evidence.Run) Verdict {
		lifetime, ok := lifetimeOf(run)
		if !ok {
			return unknown("the plan lacks the lifetime of an answer")
		}
		l := readLedger(run)
		if l.flaw != "" {
			return unknown("%s", l.flaw)
		}
		o := outlived{lifetime: lifetime, later: map[string][]*evidence.Call{}, why: tally{}}
		o.read(run)
		o.judge(run, byKey(run, anyCall))
		figures := map[string]float64{"clients_left": float64(o.left), "calls_left": float64(o.calls), "calls_lost": float64(o.why.sum()), "not_asked_again": float64(o.unasked)}
		switch {
		case o.why.sum() > 0:
			return fail(figures, o.culprits, "of %d calls whose client left, %s", o.calls, o.why)
		case o.calls == 0:
			return unknown("no client left while a call for it was under way").with(figures)
		case o.unasked > 0:
			return unknown("for the keys of %d of %d calls whose client left, nobody asked again", o.unasked, o.calls).with(figures)
		}
		return pass(figures, "all %d calls whose client left went on, and answered the next one who asked", o.calls)
	})
}

// outlived gathers what became of calls whose client left.
type outlived struct {
	lifetime             time.Duration
	later                map[string][]*evidence.Call // by key that a client left, requests whose client stayed, by due
	left, calls, unasked int
	why                  tally
	culprits             []uint64
}

// read finds who asked for the keys that clients left.
func (o *outlived) read(run *evidence.Run) {
	for i, c := range eachBrief(run) {
		if c.Outcome == evidence.Aborted {
			o.later[run.CallAt(i).Key] = nil
		}
	}
	if len(o.later) == 0 {
		return
	}
	for i, b := range eachBrief(run) {
		c := run.CallAt(i)
		if _, left := o.later[c.Key]; left && waited(b) {
			o.later[c.Key] = append(o.later[c.Key], c)
		}
	}
}

func (o *outlived) judge(run *evidence.Run, groups *groups) {
	key := readKeys(run).request
	seen := map[string]bool{}
	for i, b := range eachBrief(run) {
		if b.Outcome != evidence.Aborted {
			continue
		}
		o.left++
		c := run.CallAt(i)
		for _, u := range groups.of(key[i]) {
			if u.Arrived <= c.End && c.End < endOf(u) && !seen[u.ID] {
				seen[u.ID] = true
				o.call(c, u)
			}
		}
	}
}

// call judges a call that was under way when the client of c left.
func (o *outlived) call(c *evidence.Call, u *evidence.Upstream) {
	o.calls++
	if u.Outcome != evidence.UpstreamOK {
		o.blame(c, fmt.Sprintf("ended %s", u.Outcome))
		return
	}
	for _, next := range o.later[c.Key] {
		if age := next.Due - u.Ended; age < storedWithin || age >= o.lifetime {
			continue
		}
		if next.Outcome != evidence.OK || next.Answer.CallID != u.ID {
			o.blame(next, "did not answer the next one who asked")
		}
		return
	}
	o.unasked++
}

func (o *outlived) blame(c *evidence.Call, what string) {
	o.why[what]++
	o.culprits = append(o.culprits, c.Seq)
}
