package check

import (
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

const (
	// answerSlack is how much later than the caller's client the upstream may note the end of a call that it answered: the
	// two clocks are one, but the note is made after the last byte has left.
	answerSlack = 50 * time.Millisecond
	// ageMargin is added to the age that is allowed, since an answer's age counts from the moment at which it was stored, a
	// little after the call ended, to the moment at which it was looked up, a little after the request was due.
	ageMargin = time.Second
)

// RightAnswer: every answered request got its own answer. The text of an answer names the call that produced it; the
// upstream's ledger must hold that call, for the request's tenant and key, successful, ended before the answer ended, and
// not older than the plan's max_age when the request was due.
func RightAnswer() Check { return complete("RightAnswer", rightAnswer) }

func rightAnswer(run *evidence.Run) Verdict {
	l := readLedger(run)
	maxAge, ok := run.Param(evidence.ParamMaxAge)
	if !ok {
		return unknown("the plan lacks the largest age of an answer")
	}
	var answers int
	var oldest time.Duration
	var wrong []uint64
	why := tally{}
	answer := readPlaces(run).answer
	for i, c := range run.EachCall() {
		if c.Outcome != evidence.OK {
			continue
		}
		answers++
		u, known := l.at(answer[i])
		if !known && l.flaw != "" {
			continue
		}
		if fault := wrongness(c, u, known, maxAge); fault != "" {
			why[fault]++
			wrong = append(wrong, c.Seq)
			continue
		}
		oldest = max(oldest, c.Due-u.Ended)
	}
	figures := map[string]float64{"answers": float64(answers), "wrong": float64(len(wrong)), "oldest_ms": ms(oldest)}
	switch {
	case len(wrong) > 0:
		return fail(figures, wrong, "%d of %d answers are wrong: %s", len(wrong), answers, why)
	case answers == 0:
		return unknown("no request was answered").with(figures)
	case l.flaw != "":
		return unknown("%s", l.flaw).with(figures)
	}
	return pass(figures, "all %d answers are right", answers)
}

// wrongness says what is wrong with an answer; empty if nothing is.
func wrongness(c *evidence.Call, u *evidence.Upstream, known bool, maxAge time.Duration) string {
	switch {
	case c.Answer.CallID == "":
		return "name no call"
	case !known:
		return "name a call that the upstream never had"
	case u.Tenant != c.Tenant || c.Answer.Tenant != c.Tenant:
		return "belong to another tenant"
	case u.Key != c.Key || c.Answer.Key != c.Key:
		return "belong to another key"
	case u.Outcome != evidence.UpstreamOK:
		return "come from a call that ended " + u.Outcome
	case u.Ended > c.End+answerSlack:
		return "came before their call ended"
	case c.Due-u.Ended > maxAge+ageMargin:
		return "are too old"
	}
	return ""
}
