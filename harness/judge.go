package harness

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/fault"
	"github.com/sentinel-chaos/sentinel/harness/internal/panics"
)

// Judge reads the evidence saved in dir, judges it by the scenario's checks and saves the judgement beside it. It needs
// nothing but the folder, so a saved run can be judged again at any time. Evidence that does not read is an error:
// evidence.ErrDamaged.
func Judge(dir string, s Scenario) (*evidence.Run, check.Judgement, error) {
	run, err := evidence.Open(dir)
	if err != nil {
		return nil, check.Judgement{}, fmt.Errorf("open evidence: %w", err)
	}
	j := judge(run, s.Drawn(run.Plan.Seed))
	if err := run.Err(); err != nil {
		return nil, check.Judgement{}, fmt.Errorf("read evidence: %w", err)
	}
	if err := evidence.WriteJSON(filepath.Join(dir, evidence.VerdictsFile), j); err != nil {
		return nil, check.Judgement{}, err
	}
	return run, j, nil
}

// judge confirms each fault once, for all checks.
func judge(run *evidence.Run, s Scenario) check.Judgement {
	faults := confirmAll(run, s)
	var classify check.Classifier
	if c, ok := s.System.(Classifier); ok {
		classify = c.Classify
	}
	r := check.NewRun(run, faults, classify)
	j := check.Judgement{
		Assumptions: judgeAll(r, check.Assumptions()),
		Checks:      judgeAll(r, s.Expect),
		Sometimes:   judgeAll(r, s.Sometimes),
		Faults:      faults,
	}.Conclude()
	if len(faults) > 0 {
		err := panics.Do(func() (err error) {
			j.Windows, err = check.Windows(r)
			return err
		})
		if err != nil {
			j.Untold = check.OneLine(err.Error())
		}
	}
	return j
}

func judgeAll(r *check.Run, checks []check.Check) []check.Verdict {
	out := make([]check.Verdict, len(checks))
	for i, c := range checks {
		out[i] = c.Judge(r)
	}
	return out
}

// confirmAll confirms the faults of the scenario, also those that were never injected. It adds what the plan of a saved run has
// and the scenario of this build lacks, unconfirmed.
func confirmAll(run *evidence.Run, s Scenario) (all []check.Fault) {
	for _, step := range s.Faults {
		all = append(all, confirm(run, step.Fault))
	}
	for _, step := range run.Plan.Faults {
		if !s.has(step.Fault) {
			all = append(all, check.Fault{Name: step.Fault, Kind: step.Kind, Missing: "it was planned, and the scenario of this build does not have it"})
		}
	}
	return all
}

// confirm looks for the proof that a fault was active and healed. Without it, Missing says why.
func confirm(run *evidence.Run, f fault.Fault) check.Fault {
	in, ordered := run.Injection(f.Name)
	out := check.Fault{Name: f.Name, Kind: f.Kind, Target: in.Target, Ordered: in.Ordered, Healing: in.Healing}
	switch {
	case !ordered:
		out.Missing = "it was planned and never injected"
	case in.Error != "":
		out.Missing = "the injector failed: " + in.Error
	case in.Undo != "":
		out.Missing = "the heal failed: " + in.Undo
	default:
		var t fault.Times
		err := panics.Do(func() (err error) {
			t, err = f.Confirm(run, in)
			return err
		})
		out.Active, out.Healed, out.Confirmed = t.Active, t.Healed, err == nil
		if err != nil {
			out.Missing = err.Error()
		}
	}
	out.Missing = check.OneLine(out.Missing)
	return out
}

// has reports whether the plan of faults has one of that name.
func (s Scenario) has(name string) bool {
	return slices.ContainsFunc(s.Faults, func(f fault.Step) bool { return f.Fault.Name == name })
}
