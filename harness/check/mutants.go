package check

import (
	"maps"
	"slices"
)

// Mutant is a defect built into a copy of the service, and what must notice it.
type Mutant struct {
	Name     string `json:"name"`
	Class    string `json:"class,omitempty"` // of defects that are alike; may be empty
	Defect   string `json:"defect"`
	Scenario string `json:"scenario"`
	Check    string `json:"check"` // a claim of the scenario, or an assumption
}

// MutantOutcome is what became of a mutant, as people read it.
type MutantOutcome string

// The outcomes of mutants.
const (
	MutantCaught       MutantOutcome = "caught"                  // the named check failed
	MutantCaughtOther  MutantOutcome = "caught by another check" // only checks failed that were not named
	MutantNotProven    MutantOutcome = "not proven"              // checks failed, and its control did not pass: they may fail without the defect
	MutantInconclusive MutantOutcome = "inconclusive"
	MutantSurvived     MutantOutcome = "SURVIVED"
	MutantNotRun       MutantOutcome = "not run"
)

// Matrix is what became of mutants; it is saved as mutants.json in the folder of their session.
type Matrix struct {
	Controls []Control   `json:"controls"` // one for each scenario that mutants name, in their order
	Mutants  []MutantRow `json:"mutants"`
	All      Share       `json:"all"`
	Classes  []Share     `json:"classes"` // by name; mutants without a class are in none
}

// Control is the run of a scenario against the service without a defect.
type Control struct {
	Scenario string `json:"scenario"`
	Trial
}

// MutantRow is a mutant, and what its run showed.
type MutantRow struct {
	Mutant
	Outcome MutantOutcome `json:"outcome"`
	Trial
}

// Trial is what one run showed.
type Trial struct {
	Status   Status            `json:"status"`
	Reason   string            `json:"reason"`
	Verdicts map[string]Status `json:"verdicts"` // of claims and assumptions by name, empty if it was not run; of several of one name, the worst
}

// Share counts mutants and those that were caught.
type Share struct {
	Class   string `json:"class,omitempty"`
	Mutants int    `json:"mutants"`
	Caught  int    `json:"caught"`                // by whatever check
	Named   int    `json:"caught_by_named_check"` // of these, by the one that must
}

// notBegun is what is known of a run that left nothing.
const notBegun = "it was not begun"

// NewMatrix says what became of mutants. Runs are told apart by their folders: a mutant's has its name, that of its control the
// scenario's. A run that judged does not know was not begun; one that could not be judged has a reason and no verdicts.
func NewMatrix(mutants []Mutant, judged map[string]Judgement) Matrix {
	m := Matrix{Controls: []Control{}, Mutants: []MutantRow{}}
	controls := map[string]Trial{}
	for _, x := range mutants {
		control, known := controls[x.Scenario]
		if !known {
			control = newTrial(judged[x.Scenario])
			controls[x.Scenario] = control
			m.Controls = append(m.Controls, Control{x.Scenario, control})
		}
		m.Mutants = append(m.Mutants, newMutantRow(x, control, judged[x.Name]))
	}
	m.All, m.Classes = m.Shares()
	return m
}

func newTrial(j Judgement) Trial {
	t := Trial{Status: j.Status, Reason: j.Reason, Verdicts: map[string]Status{}}
	if t.Reason == "" {
		t.Reason = notBegun
	}
	for _, v := range slices.Concat(j.Checks, j.Assumptions) {
		before, known := t.Verdicts[v.Check]
		if !known {
			before = Pass
		}
		t.Verdicts[v.Check] = worse(before, v.Status)
	}
	return t
}

// Failed names the checks that failed.
func (t Trial) Failed() (names []string) {
	for _, name := range slices.Sorted(maps.Keys(t.Verdicts)) {
		if t.Verdicts[name] == Fail {
			names = append(names, name)
		}
	}
	return names
}

func newMutantRow(x Mutant, control Trial, j Judgement) MutantRow {
	row := MutantRow{Mutant: x, Trial: newTrial(j)}
	row.Outcome = outcomeOf(x, control, row.Trial)
	switch row.Outcome {
	case MutantNotProven:
		row.Reason = "the control did not pass: " + control.Reason
	case MutantCaught:
		row.Reason = failure(j, x.Check)
	}
	return row
}

// outcomeOf asks whether the right check failed. Several checks may; the named one must be among them. What failed is laid to
// the defect only if the same scenario passes without it. To survive takes no control: nothing failed.
func outcomeOf(x Mutant, control, run Trial) MutantOutcome {
	failed := run.Failed()
	switch {
	case len(run.Verdicts) == 0:
		return MutantNotRun
	case len(failed) > 0 && control.Status != Pass:
		return MutantNotProven
	case slices.Contains(failed, x.Check):
		return MutantCaught
	case len(failed) > 0:
		return MutantCaughtOther
	case run.Status != Pass:
		return MutantInconclusive
	default:
		return MutantSurvived
	}
}

// failure is what the check of that name found when it failed.
func failure(j Judgement, name string) string {
	for _, v := range slices.Concat(j.Checks, j.Assumptions) {
		if v.Check == name && v.Status == Fail {
			return v.Check + ": " + v.Reason
		}
	}
	return j.Reason
}

// Shares counts the mutants, and those of each class by name.
func (m Matrix) Shares() (all Share, classes []Share) {
	byClass := map[string]*Share{}
	for _, row := range m.Mutants {
		all.count(row.Outcome)
		if row.Class == "" {
			continue
		}
		if byClass[row.Class] == nil {
			byClass[row.Class] = &Share{Class: row.Class}
		}
		byClass[row.Class].count(row.Outcome)
	}
	classes = []Share{}
	for _, name := range slices.Sorted(maps.Keys(byClass)) {
		classes = append(classes, *byClass[name])
	}
	return all, classes
}

func (s *Share) count(o MutantOutcome) {
	s.Mutants++
	switch o {
	case MutantCaught:
		s.Caught++
		s.Named++
	case MutantCaughtOther:
		s.Caught++
	}
}

// Status is what the whole proves: Fail if the service failed without a defect, or if the named check missed one; Pass if each control
// passed and each named check caught its mutant. To have tried no mutant proves nothing.
func (m Matrix) Status() Status {
	worst := Pass
	if len(m.Mutants) == 0 {
		worst = Unknown
	}
	for _, c := range m.Controls {
		worst = worse(worst, c.Status)
	}
	for _, row := range m.Mutants {
		worst = worse(worst, row.Outcome.status())
	}
	return worst
}

func (o MutantOutcome) status() Status {
	switch o {
	case MutantCaught:
		return Pass
	case MutantCaughtOther, MutantSurvived:
		return Fail
	default:
		return Unknown
	}
}

// worse is the status that decides of two: Fail, then Unknown.
func worse(a, b Status) Status {
	for _, s := range []Status{Fail, Unknown} {
		if a == s || b == s {
			return s
		}
	}
	return Pass
}
