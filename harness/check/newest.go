package check

import (
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// NewestAnswer: once a client holds a key's answer, no request that is due later gets the answer of a call that arrived
// before that one: nothing stored is overwritten by something older. Unknown unless some key had two successful calls and
// was asked again after the newer one's answer was told.
func NewestAnswer() Check { return complete("NewestAnswer", newestAnswer) }

func newestAnswer(run *evidence.Run) Verdict {
	l := readLedger(run)
	if l.flaw != "" {
		return unknown("%s", l.flaw)
	}
	told, answer, key := readTold(run), readPlaces(run).answer, readKeys(run).call
	groups := byKey(run, func(_ int, u *evidence.Upstream) bool { return u.Outcome == evidence.UpstreamOK })
	var asked int
	var older []uint64
	for i, c := range eachBrief(run) {
		got, known := l.at(answer[i])
		if !known || c.Outcome != evidence.OK {
			continue
		}
		calls := groups.of(key[answer[i]])
		if len(calls) < 2 {
			continue
		}
		replaced, old := false, false
		for _, u := range calls {
			if told[l.place(u.ID)] < c.Due {
				replaced = replaced || u.ID != calls[0].ID
				old = old || u.Arrived > got.Arrived
			}
		}
		if replaced {
			asked++
		}
		if old {
			older = append(older, c.Seq)
		}
	}
	figures := map[string]float64{"asked_again": float64(asked), "older": float64(len(older))}
	switch {
	case len(older) > 0:
		return fail(figures, older, "%d requests got an older answer than clients held already", len(older))
	case asked == 0:
		return unknown("no key was asked again after a second call had been answered").with(figures)
	}
	return pass(figures, "%d requests for keys that had been called twice got the newest answer", asked)
}
