package check

import (
	"fmt"
	"iter"
	"sort"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Names of the windows into which faults divide the load. They follow each other without a gap.
const (
	WindowBefore   = "before"   // from the start of the load to the order of the first fault
	WindowDuring   = "during"   // to the proven end of the last fault
	WindowRecovery = "recovery" // to the first of ten successes in a row, of hits and of misses
	WindowAfter    = "after"    // to the end of the load
)

// Windows divides the load by certified faults. It returns the windows that can be told, in their order, each from its
// first moment to the moment before the next one's first, and why the others can not.
func Windows(run *evidence.Run, faults []Certified) (told []evidence.Window, missing string) {
	load, ok := run.Window(evidence.PhaseLoad)
	switch {
	case !ok:
		return nil, "the start of the load is not recorded"
	case len(faults) == 0:
		return nil, "no fault divides the load"
	}
	ordered, healed := forever, time.Duration(0)
	for _, f := range faults {
		if !f.Certified {
			return nil, fmt.Sprintf("fault %q is not certified: %s", f.Fault, f.Missing)
		}
		ordered, healed = min(ordered, f.Ordered), max(healed, f.Healed)
	}
	told = []evidence.Window{{Name: WindowBefore, From: load.From, To: ordered}, {Name: WindowDuring, From: ordered, To: healed}}
	after, missing := recoveredAfter(run, ordered, healed)
	if missing != "" {
		return told, missing
	}
	return append(told, evidence.Window{Name: WindowRecovery, From: healed, To: healed + after},
		evidence.Window{Name: WindowAfter, From: healed + after, To: max(load.To, healed+after)}), ""
}

// recoveredAfter is how long after the heal hits and misses both succeeded again.
func recoveredAfter(run *evidence.Run, ordered, healed time.Duration) (after time.Duration, missing string) {
	p, missing := newPace(run, ordered)
	if missing != "" {
		return 0, missing
	}
	all := recoveries(run, p, healed)
	if len(all) == 0 {
		return 0, "no request was due after the heal"
	}
	for _, r := range all {
		if r.doubt != "" {
			return 0, r.doubt
		}
		after = max(after, r.after)
	}
	return after, ""
}

// Window is a stretch of the run of which a check speaks, or why it can not be told.
type Window func(*evidence.Run) (w evidence.Window, missing string)

// Before is the window before the fault.
func Before(fault string, proof Certificate) Window { return dividedBy(fault, proof, WindowBefore) }

// During is the window in which the fault may have had effects, from its order to its proven end.
func During(fault string, proof Certificate) Window { return dividedBy(fault, proof, WindowDuring) }

// Recovery is the window from the proven end of the fault until requests succeed again.
func Recovery(fault string, proof Certificate) Window { return dividedBy(fault, proof, WindowRecovery) }

// After is the window from there to the end of the load.
func After(fault string, proof Certificate) Window { return dividedBy(fault, proof, WindowAfter) }

func dividedBy(fault string, proof Certificate, name string) Window {
	return func(run *evidence.Run) (evidence.Window, string) {
		in, ok := run.Injection(fault)
		if !ok {
			return evidence.Window{}, fmt.Sprintf("fault %q was never ordered", fault)
		}
		told, missing := Windows(run, []Certified{Certify(run, in, proof)})
		for _, w := range told {
			if w.Name == name {
				return w, ""
			}
		}
		return evidence.Window{}, missing
	}
}

// dueIn yields the requests, with their places, that were due in the window and that somebody waited for.
func dueIn(run *evidence.Run, w evidence.Window) iter.Seq2[int, *brief] {
	return func(yield func(int, *brief) bool) {
		ordered := inOrder(run)
		for i, c := range dueSince(run, w.From) {
			switch {
			case c.Due >= w.To && ordered:
				return
			case c.Due < w.To && waited(c) && !yield(i, c):
				return
			}
		}
	}
}

// dueSince yields the requests, with their places, that were due at that moment or later. As a rule the record is in the order
// of due, so that those before need not be looked at.
func dueSince(run *evidence.Run, from time.Duration) iter.Seq2[int, *brief] {
	all, first := readBriefs(run), 0
	if inOrder(run) {
		first = sort.Search(len(all), func(i int) bool { return all[i].Due >= from })
	}
	return func(yield func(int, *brief) bool) {
		for i := first; i < len(all); i++ {
			if c := &all[i]; c.Due >= from && !yield(i, c) {
				return
			}
		}
	}
}

// order says whether the record of requests is in the order in which they were due.
type order bool

func inOrder(run *evidence.Run) bool { return bool(evidence.Derive(run, newOrder)) }

func newOrder(run *evidence.Run) order {
	var due time.Duration
	for _, c := range eachBrief(run) {
		if c.Due < due {
			return false
		}
		due = c.Due
	}
	return true
}

// placesOf collects the places of requests.
func placesOf(requests iter.Seq2[int, *brief]) []int32 {
	all := make([]int32, 0, count(requests))
	for i := range requests {
		all = append(all, int32(i))
	}
	return all
}
