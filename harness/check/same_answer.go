package check

import (
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// SameKeySameAnswer: within one lifetime of an answer, all clients that were answered to one key hold the answer of the
// same call. Two answers to one key may differ only if the later call came when the lifetime of the earlier one was over, or
// was extra and is explained as OncePerKey of the same authorities explains it. Even then the change is for good: nobody whose
// request was due after a client held the later answer is given the earlier one. Unknown unless some key was answered twice.
func SameKeySameAnswer(authorities ...Authority) Check {
	return complete("SameKeySameAnswer", func(run *evidence.Run) Verdict { return sameKeySameAnswer(run, authorities) })
}

func sameKeySameAnswer(run *evidence.Run, authorities []Authority) Verdict {
	l := readLedger(run)
	if l.flaw != "" {
		return unknown("%s", l.flaw)
	}
	x, missing := newExplainer(run, authorities)
	if missing != "" {
		return unknown("%s", missing)
	}
	answers := answersByKey(run)
	groups := byKey(run, func(place int, _ *evidence.Upstream) bool { return x.told[place] != forever })
	var extra extras
	shared := 0
	replaced := make(map[int32]time.Duration) // when a client first held a later answer, by the call's place
	for _, k := range groups.order {
		extra.judge(x, groups.of(k))
		x.replacements(groups.of(k), replaced)
		if answers[k] > 1 {
			shared++
		}
	}
	back := relapses(run, replaced)
	figures := map[string]float64{"keys_answered": float64(len(groups.order)), "given_replaced": float64(len(back)), "keys_answered_again": float64(shared),
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
func (x *explainer) replacements(calls []*evidence.Upstream, replaced map[int32]time.Duration) {
	if len(calls) < 2 {
		return
	}
	first := forever
	for _, u := range slices.Backward(calls) {
		place := x.ledger.place(u.ID)
		if first != forever {
			replaced[place] = first
		}
		first = min(first, x.told[place])
	}
}

// relapses are the requests whose answer had been replaced when they were due.
func relapses(run *evidence.Run, replaced map[int32]time.Duration) (back []uint64) {
	answer := readPlaces(run).answer
	for i, c := range eachBrief(run) {
		at, ok := replaced[answer[i]]
		if ok && c.Outcome == evidence.OK && c.Due > at {
			back = append(back, c.Seq)
		}
	}
	return back
}

// answersByKey counts the answers that clients were given, by the number of the key.
func answersByKey(run *evidence.Run) []int32 {
	k := readKeys(run)
	n := make([]int32, k.total)
	for i, c := range eachBrief(run) {
		if c.Outcome == evidence.OK && k.answer[i] != none {
			n[k.answer[i]]++
		}
	}
	return n
}
