package check

import (
	"fmt"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Authority is a store that decides who may call the upstream, as far as observers can tell whether it takes writes.
type Authority struct {
	Name string
	// Follow begins with nothing known. What it returns is told every observation of a run, in the order of time, and says
	// after each whether the store takes writes.
	Follow func() func(evidence.Observation) bool
}

// unguarded are the stretches of the run in which, by what had been seen until then, none of the authorities took writes. It
// says what is missing if one of them was never seen to: nobody may have looked.
func unguarded(run *evidence.Run, authorities []Authority) (gaps []span, missing string) {
	if len(authorities) == 0 {
		return nil, ""
	}
	follow := make([]func(evidence.Observation) bool, len(authorities))
	for i, a := range authorities {
		follow[i] = a.Follow()
	}
	ever := make([]bool, len(authorities))
	away, since := true, time.Duration(0)
	for o := range run.Observations() {
		none := true
		for i, takesWrites := range follow {
			if takesWrites(o) {
				ever[i], none = true, false
			}
		}
		switch {
		case away && !none:
			gaps = append(gaps, span{since, o.At})
		case !away && none:
			since = o.At
		}
		away = none
	}
	if away {
		gaps = append(gaps, span{since, forever})
	}
	for i, a := range authorities {
		if !ever[i] {
			return nil, fmt.Sprintf("nobody ever saw %s take writes", a.Name)
		}
	}
	return gaps, ""
}
