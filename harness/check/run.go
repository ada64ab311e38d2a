package check

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Run is what checks judge: the evidence, the faults, confirmed once for all checks, and the classes of the requests. Its methods
// that return an error are the preconditions of checks: the error says what the run lacks. One check is judged at a time.
type Run struct {
	*evidence.Run
	Faults []Fault // in the order of the plan

	classes   func() (Classes, error)
	baselines map[time.Duration]baseline // that were measured, by the moment until which they are
	divisions map[string]division        // that were made, by the fault
}

// NewRun makes evidence ready to be judged. classify tells the classes of requests; nil goes by what the load called them.
func NewRun(run *evidence.Run, faults []Fault, classify Classifier) *Run {
	if classify == nil {
		classify = byLoad
	}
	return &Run{Run: run, Faults: faults, classes: sync.OnceValues(func() (Classes, error) { return classify(run) }),
		baselines: map[time.Duration]baseline{}, divisions: map[string]division{}}
}

// Fault is an injected fault with its four times, offsets from the epoch, 0 where unknown. Active and Healed are what an observer
// independent of the injector saw.
type Fault struct {
	Name      string        `json:"name"`
	Kind      string        `json:"kind"`
	Target    string        `json:"target"`
	Ordered   time.Duration `json:"ordered_ns"`
	Active    time.Duration `json:"active_ns"`
	Healing   time.Duration `json:"healing_ns"`
	Healed    time.Duration `json:"healed_ns"`
	Confirmed bool          `json:"confirmed"`
	Missing   string        `json:"missing,omitempty"` // the proof that is missing
}

// Span is from the order to the proven end: the time in which the fault may have had effects.
func (f Fault) Span() evidence.Span { return evidence.Span{From: f.Ordered, To: f.Healed} }

// Fault finds a confirmed fault by its name.
func (r *Run) Fault(name string) (Fault, error) {
	if _, ordered := r.Injection(name); !ordered {
		return Fault{}, fmt.Errorf("fault %q was never ordered", name)
	}
	for _, f := range r.Faults {
		switch {
		case f.Name != name:
		case !f.Confirmed:
			return Fault{}, fmt.Errorf("fault %q is not confirmed: %s", name, f.Missing)
		default:
			return f, nil
		}
	}
	return Fault{}, fmt.Errorf("fault %q is not confirmed: the scenario does not have it", name)
}

// Confirmed are the confirmed faults of the given kinds.
func (r *Run) Confirmed(kinds ...string) (all []Fault) {
	for _, f := range r.Faults {
		if f.Confirmed && slices.Contains(kinds, f.Kind) {
			all = append(all, f)
		}
	}
	return all
}

// Load is the window of the load. Offsets of the plan count from its start.
func (r *Run) Load() (evidence.Window, error) {
	w, ok := r.Window(evidence.PhaseLoad)
	if !ok {
		return w, errors.New("the start of the load is not recorded")
	}
	return w, nil
}

// LastResponse is the moment at which the last request ended.
func LastResponse(run *evidence.Run) time.Duration {
	return time.Duration(evidence.Derive(run, func(run *evidence.Run) (last lastResponse) {
		for _, q := range evidence.Requests.Each(run) {
			last = max(last, lastResponse(q.End))
		}
		return last
	}))
}

type lastResponse time.Duration

// NeedParam gives a parameter of the plan.
func (r *Run) NeedParam(name string) (time.Duration, error) {
	d, ok := r.Param(name)
	if !ok {
		return 0, fmt.Errorf("the plan lacks the parameter %q", name)
	}
	return d, nil
}

// NeedSubjects are the nodes of the service under test, of which there must be some.
func (r *Run) NeedSubjects() ([]evidence.Node, error) {
	all := r.Subjects()
	if len(all) == 0 {
		return nil, errors.New("no node of the service is recorded")
	}
	return all, nil
}
