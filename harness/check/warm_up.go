package check

import (
	"errors"
	"fmt"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// WarmedUp: every request of the warm-up was answered ok. A wrong answer, or none, fails the run: the system had said that it is
// ready, and no fault had been ordered.
//
// Refusals in the documented way leave the run without a verdict, and so do connections that were not made: a busy machine causes
// both, and a service that says so breaks no promise. If it goes on to refuse, the load shows it: there NothingDropped fails it.
//
// Unknown, too, unless the run reached its baseline. One that did has a record of each request of the warm-up that was not ok. Runs
// from before there were such records reached it only if all were ok.
func WarmedUp() Check { return New("WarmedUp", warmedUp).Timeless() }

// noConnection reports whether the request never got as far as the service.
func noConnection(q *evidence.Request) bool {
	return q.Outcome == evidence.Failed && q.Status == 0 && q.Conns == 0
}

func warmedUp(r *Run) (Verdict, error) {
	var wrong, others Findings
	var first *evidence.Request // of the wrong ones
	for _, q := range evidence.Warmup.Each(r.Run) {
		if q.Outcome != evidence.Failed && q.Outcome != evidence.Ambiguous || noConnection(q) {
			others.Add(describe(q))
			continue
		}
		wrong.Add(describe(q))
		if first == nil {
			first = q
		}
	}
	v := Verdict{Figures: map[string]float64{"not_ok": float64(wrong.N() + others.N()), "wrong": float64(wrong.N())}}
	_, past := r.Window(evidence.PhaseBaseline)
	switch {
	case first != nil:
		return Failf(v.Figures, nil, "%d requests of the warm-up were answered wrongly or not at all: %s; the first was %s of the stage %q",
			wrong.N(), &wrong, first.ID, first.Stage), nil
	case others.N() > 0:
		return v, fmt.Errorf("%d requests of the warm-up were not answered ok: %s", others.N(), &others)
	case !past:
		return v, errors.New("the run did not get past its warm-up")
	}
	return Passf(v.Figures, "no request of the warm-up went wrong"), nil
}
