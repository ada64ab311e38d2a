package check

import (
	"cmp"
	"fmt"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Judgement is everything that was found about one run; it is saved as verdicts.json.
type Judgement struct {
	Status      Status      `json:"status"`
	Reason      string      `json:"reason"`      // the one sentence at the top of the report
	Assumptions []Verdict   `json:"assumptions"` // broken ones turn Pass into Unknown; one that blames the service itself is Fail
	Checks      []Verdict   `json:"checks"`      // what the scenario claims
	Sometimes   []Verdict   `json:"sometimes"`   // what must have happened, or the run proved nothing
	Faults      []Certified `json:"faults"`
}

// Certified is an injected fault with its four times, offsets from the epoch, 0 where unknown.
type Certified struct {
	Fault     string        `json:"name"`
	Target    string        `json:"target"`
	Ordered   time.Duration `json:"ordered_ns"`
	Active    time.Duration `json:"active_ns"`
	Healing   time.Duration `json:"healing_ns"`
	Healed    time.Duration `json:"healed_ns"`
	Certified bool          `json:"certified"`
	Missing   string        `json:"missing,omitempty"` // the proof that is missing
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
	switch {
	case len(j.Checks) == 0:
		j.Status, j.Reason = Unknown, "nothing was claimed"
	case j.firstUnproven() != "":
		j.Status, j.Reason = Unknown, j.firstUnproven()
	}
	return j
}

// firstUnproven says what the verdict lacks: what everything rests on first, such as evidence that is whole.
func (j Judgement) firstUnproven() string {
	if reason := notPassed(j.Assumptions); reason != "" {
		return reason
	}
	for _, f := range j.Faults {
		if !f.Certified {
			return fmt.Sprintf("fault %q is not certified: %s", f.Fault, f.Missing)
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

// Certify asks a fault's certificate about what its injector ordered.
func Certify(run *evidence.Run, in evidence.Injection, c Certificate) Certified {
	out := Certified{Fault: in.Fault, Target: in.Target, Ordered: in.Ordered, Healing: in.Healing}
	switch {
	case in.Error != "":
		out.Missing = "the injector failed: " + oneLine(in.Error)
	case in.Undo != "":
		out.Missing = "the heal failed: " + oneLine(in.Undo)
	default:
		t, err := c(run, in)
		out.Active, out.Healed = t.Active, t.Healed
		if out.Certified = err == nil; err != nil {
			out.Missing = err.Error()
		}
	}
	return out
}
