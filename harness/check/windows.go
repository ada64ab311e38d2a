package check

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"sort"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Names of the windows into which faults divide the load. They follow each other without a gap.
const (
	WindowBefore   = "before"   // from the start of the load to the order of the first fault
	WindowDuring   = "during"   // to the proven end of the last fault
	WindowRecovery = "recovery" // to the first of ten successes in a row, of each class
	WindowAfter    = "after"    // to the end of the load
)

// Windows divides the load by the run's faults. It returns the windows that can be told, in their order, each from its
// first moment to the moment before the next one's first. The error says why the others cannot.
func Windows(r *Run) ([]evidence.Window, error) { return divide(r, r.Faults) }

func divide(r *Run, faults []Fault) ([]evidence.Window, error) {
	load, err := r.Load()
	switch {
	case err != nil:
		return nil, err
	case len(faults) == 0:
		return nil, errors.New("no fault divides the load")
	}
	ordered, healed := evidence.Forever, time.Duration(0)
	for _, f := range faults {
		if !f.Confirmed {
			return nil, fmt.Errorf("fault %q is not confirmed: %s", f.Name, f.Missing)
		}
		ordered, healed = min(ordered, f.Ordered), max(healed, f.Healed)
	}
	told := []evidence.Window{{Name: WindowBefore, From: load.From, To: ordered}, {Name: WindowDuring, From: ordered, To: healed}}
	after, err := recoveredAfter(r, ordered, healed)
	if err != nil {
		return told, err
	}
	return append(told, evidence.Window{Name: WindowRecovery, From: healed, To: healed + after},
		evidence.Window{Name: WindowAfter, From: healed + after, To: max(load.To, healed+after)}), nil
}

// recoveredAfter is how long after the heal requests of all classes succeeded again.
func recoveredAfter(r *Run, ordered, healed time.Duration) (after time.Duration, err error) {
	normal, err := r.Baseline(ordered)
	if err != nil {
		return 0, err
	}
	all := recoveries(r.Run, normal, healed)
	if len(all) == 0 {
		return 0, errors.New("no request was due after the heal")
	}
	for _, c := range all {
		if c.doubt != nil {
			return 0, c.doubt
		}
		after = max(after, c.after)
	}
	return after, nil
}

// Window is a stretch of the run of which a check speaks. The error says why it cannot be told.
type Window func(*Run) (evidence.Window, error)

// Before is the window before the fault.
func Before(fault string) Window { return dividedBy(fault, WindowBefore) }

// During is the window in which the fault may have had effects, from its order to its proven end.
func During(fault string) Window { return dividedBy(fault, WindowDuring) }

// Recovery is the window from the proven end of the fault until requests succeed again.
func Recovery(fault string) Window { return dividedBy(fault, WindowRecovery) }

// After is the window from there to the end of the load.
func After(fault string) Window { return dividedBy(fault, WindowAfter) }

func dividedBy(fault, name string) Window {
	return func(r *Run) (evidence.Window, error) {
		f, err := r.Fault(fault)
		if err != nil {
			return evidence.Window{}, err
		}
		told, err := divide(r, []Fault{f})
		for _, w := range told {
			if w.Name == name {
				return w, nil
			}
		}
		return evidence.Window{}, err
	}
}

// dueIn are the requests that were due in the window and that somebody waited for. As a rule that is a part of the record as it
// is, which need not be copied.
func dueIn(run *evidence.Run, w evidence.Window) []Timing {
	all := Timings(run)
	if inOrder(run) {
		all = all[:firstDue(all, w.To)]
		all = all[firstDue(all, w.From):]
	}
	left := func(t Timing) bool { return t.Due < w.From || t.Due >= w.To || !t.Waited() }
	if slices.ContainsFunc(all, left) {
		return slices.DeleteFunc(slices.Clone(all), left)
	}
	return all
}

// firstDue is the place of the first request, of such as are in the order of due, that was due at that moment or later.
func firstDue(ordered []Timing, from time.Duration) int {
	return sort.Search(len(ordered), func(i int) bool { return ordered[i].Due >= from })
}

// dueSince yields the requests, with their places, that were due at that moment or later. As a rule the record is in the order
// of due, so that those before need not be looked at.
func dueSince(run *evidence.Run, from time.Duration) iter.Seq2[int, *Timing] {
	all, first := Timings(run), 0
	if inOrder(run) {
		first = firstDue(all, from)
	}
	return func(yield func(int, *Timing) bool) {
		for i := first; i < len(all); i++ {
			if t := &all[i]; t.Due >= from && !yield(i, t) {
				return
			}
		}
	}
}

// order reports whether the record of requests is in the order in which they were due.
type order bool

func inOrder(run *evidence.Run) bool { return bool(evidence.Derive(run, newOrder)) }

func newOrder(run *evidence.Run) order {
	var due time.Duration
	for _, t := range Timings(run) {
		if t.Due < due {
			return false
		}
		due = t.Due
	}
	return true
}
