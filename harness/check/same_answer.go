package check

import (
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// SameKeySameAnswer: within one lifetime of an answer, all clients that were answered to one key hold the answer of the
// same call. Two answers to one key may differ only if the later call came when the lifetime of the earlier one was over, or
// was extra and is explained as OncePerKey explains it. Even then the change is for good: nobody whose request was due after
// a client held the later answer is given the earlier one. Unknown unless some key was answered twice.
func SameKeySameAnswer() Check { return complete("SameKeySameAnswer", sameKeySameAnswer) }

func sameKeySameAnswer(run *evidence.Run) Verdict {
	l := readLedger(run)
	if l.flaw != "" {
		return unknown("%s", l.flaw)
	}
	x, missing := newExplainer(run)
	if missing != "" {
		return unknown("%s", missing)
	}
	answers := answersByKey(run)
	keys, order := byKey(l, func(u *evidence.Upstream) bool {
		_, told := x.told[u.ID]
		return told
	})
	var extra extras
	shared := 0
	replaced := map[string]time.Duration{} // when a client first held a later answer, by call
	for _, k := range order {
		extra.judge(x, keys[k])
		x.replacements(keys[k], replaced)
		if answers[k] > 1 {
			shared++
		}
	}
	back := relapses(run, replaced)
	figures := map[string]float64{"keys_answered": float64(len(order)), "given_replaced": float64(len(back)), "keys_answered_again": float64(shared),
		"replaced_explained": float64(extra.explained), "replaced_unexplained": float64(extra.unexplained)}
	switch {
	case extra.unexplained > 0:
		return fail(figures, extra.requests(run), "%d times, clients were given two answers to one key within a lifetime: %s", extra.unexplained, extra.first)
	case len(back) > 0:
		return fail(figures, back, "%d requests were given an answer that had been replaced already", len(back))
	case shared == 0:
		return unknown("no key was answered twice").with(figures)
	}
	return pass(figures, "%d keys that were answered more than once had one answer at a time", shared)
}

// replacements notes for each call of a key when a client first held the answer of a later one.
func (x *explainer) replacements(calls []*evidence.Upstream, replaced map[string]time.Duration) {
	first := forever
	for _, u := range slices.Backward(calls) {
		if first != forever {
			replaced[u.ID] = first
		}
		first = min(first, x.told[u.ID])
	}
}

// relapses are the requests whose answer had been replaced when they were due.
func relapses(run *evidence.Run, replaced map[string]time.Duration) (back []uint64) {
	for c := range run.Calls() {
		at, ok := replaced[c.Answer.CallID]
		if ok && c.Outcome == evidence.OK && c.Due > at {
			back = append(back, c.Seq)
		}
	}
	return back
}

// answersByKey counts the answers that clients were given.
func answersByKey(run *evidence.Run) map[string]int {
	n := map[string]int{}
	for c := range run.Calls() {
		if c.Outcome == evidence.OK {
			n[c.Answer.Key]++
		}
	}
	return n
}
