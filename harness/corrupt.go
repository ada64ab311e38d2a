package harness

import (
	"iter"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/corrupt"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Corrupt spoils the evidence of a saved run, one record at a time, and judges each copy as Judge judges the run. A corruption is
// noticed if the copy does not pass. It exempts what need not be noticed in any run, and what the system says. Nothing is written.
// corrupt.Try has the results and errors.
func Corrupt(run *evidence.Run, s Scenario, seed uint64) iter.Seq2[corrupt.Result, error] {
	exempt := corrupt.Exemptions()
	if system, tells := s.System.(Exempting); tells {
		exempt = append(exempt, system.Exemptions()...)
	}
	s = s.Drawn(run.Plan.Seed)
	return corrupt.Try(run, func(copied *evidence.Run) (objection string) {
		if j := judge(copied, s); j.Status != check.Pass {
			return j.Reason
		}
		return ""
	}, exempt, seed)
}
