package harness

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/fault"
)

// VerdictsFile is where Judge leaves a run's judgement.
const VerdictsFile = "verdicts.json"

// Judge reads the evidence saved in dir, judges it by the scenario's checks and saves the judgement beside it. It needs
// nothing but the folder, so a saved run can be judged again at any time.
func Judge(dir string, s Scenario) (*evidence.Run, check.Judgement, error) {
	run, err := evidence.Open(dir)
	if err != nil {
		return nil, check.Judgement{}, fmt.Errorf("open evidence: %w", err)
	}
	j := judge(run, s.Drawn(run.Plan.Seed))
	if err := evidence.WriteJSON(filepath.Join(dir, VerdictsFile), j); err != nil {
		return nil, check.Judgement{}, err
	}
	return run, j, nil
}

func judge(run *evidence.Run, s Scenario) check.Judgement {
	return check.Judgement{
		Assumptions: judgeAll(run, check.Assumptions()),
		Checks:      judgeAll(run, s.Expect),
		Sometimes:   judgeAll(run, s.Sometimes),
		Faults:      certifyAll(run, s),
	}.Conclude()
}

func judgeAll(run *evidence.Run, checks []check.Check) []check.Verdict {
	out := make([]check.Verdict, len(checks))
	for i, c := range checks {
		out[i] = c.Judge(run)
	}
	return out
}

// certifyAll goes by the plan, so that a fault that was never injected is missed too, and one of a saved run that its scenario
// has no certificate for any more.
func certifyAll(run *evidence.Run, s Scenario) []check.Certified {
	var out []check.Certified
	for _, step := range s.Faults {
		in, ok := run.Injection(step.Fault.Name)
		if !ok {
			out = append(out, check.Certified{Fault: step.Fault.Name, Missing: "it was planned and never injected"})
			continue
		}
		out = append(out, check.Certify(run, in, step.Fault.Certificate))
	}
	for _, step := range run.Plan.Faults {
		if !s.has(step.Fault) {
			out = append(out, check.Certified{Fault: step.Fault, Missing: "it was planned, and the scenario of this build does not have it"})
		}
	}
	return out
}

// has says whether the plan of faults has one of that name.
func (s Scenario) has(name string) bool {
	return slices.ContainsFunc(s.Faults, func(f fault.Step) bool { return f.Fault.Name == name })
}
