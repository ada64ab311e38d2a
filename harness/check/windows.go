package check

import (
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Names of the windows into which faults divide the load. They follow each other without a gap.
const (
	windowBefore   = "before"   // from the start of the load to the order of the first fault
	windowDuring   = "during"   // to the proven end of the last fault
	windowRecovery = "recovery" // to the first of ten successes in a row, of each class
	windowAfter    = "after"    // to the end of the load
)

// Windows divides the load by the run's faults. It returns the windows that can be told, in their order. Each ends where the next
// one begins, and that moment belongs to the next one. The error says why the others cannot be told.
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
	told := []evidence.Window{{Name: windowBefore, From: load.From, To: ordered}, {Name: windowDuring, From: ordered, To: healed}}
	after, err := recoveredAfter(r, ordered, healed)
	if err != nil {
		return told, err
	}
	return append(told, evidence.Window{Name: windowRecovery, From: healed, To: healed + after},
		evidence.Window{Name: windowAfter, From: healed + after, To: max(load.To, healed+after)}), nil
}

// recoveredAfter is how long after the heal requests of all classes succeeded again.
func recoveredAfter(r *Run, ordered, healed time.Duration) (after time.Duration, err error) {
	normal, err := baselineAt(r, ordered)
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
func Before(fault string) Window { return dividedBy(fault, windowBefore) }

// During is the window in which the fault may have had effects, from its order to its proven end.
func During(fault string) Window { return dividedBy(fault, windowDuring) }

// Recovery is the window from the proven end of the fault until requests succeed again.
func Recovery(fault string) Window { return dividedBy(fault, windowRecovery) }

// After is the window from there to the end of the load.
func After(fault string) Window { return dividedBy(fault, windowAfter) }

func dividedBy(fault, name string) Window {
	return func(r *Run) (evidence.Window, error) {
		f, err := r.Fault(fault)
		if err != nil {
			return evidence.Window{}, err
		}
		d, made := r.divisions[fault]
		if !made {
			d.told, d.err = divide(r, []Fault{f})
			r.divisions[fault] = d
		}
		for _, w := range d.told {
			if w.Name == name {
				return w, nil
			}
		}
		return evidence.Window{}, d.err
	}
}

// division is the windows into which a fault divides the load, and why not all of them are told.
type division struct {
	told []evidence.Window
	err  error
}

// dueIn are the requests that were due in the window, whatever became of them.
func dueIn(run *evidence.Run, w evidence.Window) []evidence.Request {
	all := evidence.Requests.Of(run)
	all = all[firstDue(all, w.From):]
	return all[:firstDue(all, w.To)]
}

// firstDue is the place of the first request that was due at that moment or later.
func firstDue(all []evidence.Request, from time.Duration) int {
	return sort.Search(len(all), func(i int) bool { return all[i].Due >= from })
}
