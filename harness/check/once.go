package check

import (
	"fmt"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// OncePerKey: by the upstream's own ledger, at most one call per key is in flight at a time, and at most one succeeds per
// lifetime of an answer. A call is in flight from its arrival to the end of its response, or to the moment the upstream saw
// its caller hang up. A further call to a key within a lifetime is extra. It is explained if, for each earlier call that
// stood in its way,
//
//	(i)   that call failed, was cut short or lost its caller, at the latest 100 ms after the extra one arrived;
//	(ii)  the extra one arrived no earlier than 100 ms before that call's timeout, and that call lasted as long;
//	(iii) that call's caller was certified killed before any client had its answer, and the extra one came after;
//	(iv)  that call's caller, or its own, was certified frozen for longer than the lease, or that call's caller was
//	      certified cut off for as long from all that the replicas share; one extra per key and fault, or another for one
//	      that (i), (ii), (iii) or (v) explains, and none if that call had ended more than a second before the fault. Of
//	      its own caller only the first one counts, at the latest a second after the thaw: it was begun before the fault;
//	(v)   of the given authorities, none took writes at some moment from that call's arrival to the extra one's, at the
//	      latest a second after that call's end: nobody could keep the answer, or who was at it.
//
// An answer that a client held by then refutes (ii), (iii) and (iv): it was stored. Explained calls are counted; but for those
// that failed in their turn, each needs an earlier call that the fault hit, so there are at most as many as calls in flight at
// the fault.
//
// Unknown if the ledger lacks calls, unless those that it has prove one too many.
//
// Without authorities there is no (v): that is for plans of several faults, which may leave no authority to claim it of.
func OncePerKey(authorities ...Authority) Check {
	return complete("OncePerKey", func(run *evidence.Run) Verdict { return oncePerKey(run, authorities) })
}

func oncePerKey(run *evidence.Run, authorities []Authority) Verdict {
	l := readLedger(run)
	if l.wrong || len(l.calls) == 0 {
		return unknown("%s", l.flaw)
	}
	x, missing := newExplainer(run, authorities)
	if missing != "" {
		return unknown("%s", missing)
	}
	figures := savings(run, l)
	groups := byKey(run, anyCall)
	var extra extras
	for _, k := range groups.order {
		extra.judge(x, groups.of(k))
	}
	figures["keys"] = float64(len(groups.order))
	figures["extra_explained"] = float64(extra.explained)
	figures["extra_unexplained"] = float64(extra.unexplained)
	switch {
	case extra.unexplained > 0: // whatever else is missing: each is proven by two calls that are there
		return fail(figures, extra.requests(run), "%d calls too many: %s", extra.unexplained, extra.first)
	case l.flaw != "":
		return unknown("%s", l.flaw).with(figures)
	}
	return pass(figures, "%d calls for %d keys, %d extra and all of them explained", len(l.calls), len(groups.order), extra.explained)
}

// extras collects the calls that should not have been.
type extras struct {
	explained, unexplained int
	first                  string
	culprits               map[string]bool // request ids of the unexplained ones
}

// judge walks through the calls of one key by arrival. live are the earlier calls that may still stand in the way.
func (e *extras) judge(x *explainer, calls []*evidence.Upstream) {
	var live []*evidence.Upstream
	var failedAt time.Duration // end of the last unsuccessful call
	failed := false
	for _, c := range calls {
		kept, conflict, explained := x.against(live, c)
		live = append(kept, c)
		switch {
		case conflict != nil:
			e.blame(c, conflict)
		case explained, failed && c.Arrived-failedAt < x.lifetime:
			e.explained++
		}
		if c.Outcome != evidence.UpstreamOK && endOf(c) != forever {
			failed, failedAt = true, c.Ended
		}
	}
}

func (e *extras) blame(c, earlier *evidence.Upstream) {
	e.unexplained++
	if e.first == "" {
		state := fmt.Sprintf("which succeeded %.0f ms before", ms(c.Arrived-earlier.Ended))
		if endOf(earlier) > c.Arrived {
			state = "still in flight"
		}
		e.first = fmt.Sprintf("call %s by %s for key %.12s came %.0f ms after call %s by %s, %s",
			c.ID, c.Caller, c.Key, ms(c.Arrived-earlier.Arrived), earlier.ID, earlier.Caller, state)
		e.culprits = map[string]bool{}
	}
	if len(e.culprits) < MaxCalls {
		e.culprits[c.RequestID] = true
	}
}

// requests gives the numbers of the requests that made the unexplained calls.
func (e *extras) requests(run *evidence.Run) (seqs []uint64) {
	for c := range run.Calls() {
		if e.culprits[c.ID] {
			seqs = append(seqs, c.Seq)
		}
	}
	return seqs
}

// savings compares what the answers would have cost with what was billed for them, from the start of the load.
func savings(run *evidence.Run, l *ledger) map[string]float64 {
	start, _ := loadStart(run)
	var calls, billedCalls, answers int
	var worth, billed int64
	for _, u := range l.calls {
		if u.Arrived < start {
			continue
		}
		calls++
		if u.Billed {
			billedCalls++
			billed += u.Cost
		}
	}
	answer := readPlaces(run).answer
	for i, c := range eachBrief(run) {
		if u, ok := l.at(answer[i]); ok && c.Outcome == evidence.OK {
			answers++
			worth += u.Cost
		}
	}
	return map[string]float64{"calls": float64(calls), "answers": float64(answers), "calls_avoided": float64(answers - billedCalls),
		"billed_usd": usd(billed), "saved_usd": usd(worth - billed)}
}
