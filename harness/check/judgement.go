package check

import (
	"cmp"
	"fmt"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Judgement is everything that was found about one run; it is saved as verdicts.json.
type Judgement struct {
	Status      Status            `json:"status"`
	Reason      string            `json:"reason"`      // the one sentence at the top of the report
	Assumptions []Verdict         `json:"assumptions"` // broken ones turn Pass into Unknown; one that blames the service itself is Fail
	Checks      []Verdict         `json:"checks"`      // what the scenario claims
	Sometimes   []Verdict         `json:"sometimes"`   // what must have happened, or the run proved nothing
	Faults      []Fault           `json:"faults"`
	Windows     []evidence.Window `json:"windows,omitempty"`        // into which the faults divide the load, as far as can be told
	Untold      string            `json:"windows_untold,omitempty"` // why the others cannot be told
}

// Conclude derives Status and Reason: a failed claim outweighs everything, then whatever is not proven, then Pass.
// A sometimes-guard that did not hold leaves the run inconclusive.
func (j Judgement) Conclude() Judgement {
	for _, v := range append(append([]Verdict{}, j.Checks...), j.Assumptions...) {
		if v.Status == Fail {
			j.Status, j.Reason = Fail, v.Check+": "+v.Reason
			return j
		}
	}
	j.Status, j.Reason = Pass, fmt.Sprintf("all %d checks hold", len(j.Checks))
	if reason := j.firstUnproven(); reason != "" {
		j.Status, j.Reason = Unknown, reason
	}
	return j
}

// firstUnproven is what the verdict lacks: what everything rests on first, such as evidence that is whole.
func (j Judgement) firstUnproven() string {
	if len(j.Checks) == 0 {
		return "nothing was claimed"
	}
	if reason := notPassed(j.Assumptions); reason != "" {
		return reason
	}
	for _, f := range j.Faults {
		if !f.Confirmed {
			return fmt.Sprintf("fault %q is not confirmed: %s", f.Name, f.Missing)
		}
	}
	return cmp.Or(notPassed(j.Checks), notPassed(j.Sometimes))
}

func notPassed(verdicts []Verdict) string {
	for _, v := range verdicts {
		if v.Status != Pass {
			return v.Check + ": " + v.Reason
		}
	}
	return ""
}
