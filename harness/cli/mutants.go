package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/sentinel-chaos/sentinel/harness/check"
)

// mutantsDir is where the patches are kept, from the module's root.
const mutantsDir = "scenarios/mutants"

// overlaysDir is where a run keeps the edited files of its mutants. Go tools ignore a folder of such a name.
const overlaysDir = "_overlays"

type mutantsCmd struct {
	Names []string `arg:"" optional:"" help:"Mutants to run; without any, all but those of soaks."`
}

// mutantOutcome is what became of one mutant.
type mutantOutcome struct {
	mutant
	status string   // one of those below
	by     []string // checks that failed
	err    error
}

const (
	outcomeCaught   = "caught"
	outcomeOther    = "caught by another check"
	outcomeUnknown  = "inconclusive"
	outcomeSurvived = "SURVIVED"
	outcomeNotRun   = "not run"
)

func (cmd mutantsCmd) Run(ctx context.Context, c *console) error {
	cfg, err := ReadConfig(ctx, c.App, c.getenv)
	if err != nil {
		return err
	}
	ms, err := pickMutants(filepath.Join(cfg.Root, filepath.FromSlash(mutantsDir)), cmd.Names)
	if err != nil {
		return err
	}
	for _, m := range ms {
		if err := m.named(c.Catalogue); err != nil {
			return fmt.Errorf("%w: %w", errUsage, err)
		}
	}
	if len(cmd.Names) == 0 {
		ms = slices.DeleteFunc(ms, c.soaks)
	}
	p := newProgress(c.err, c.live)
	s, err := NewSession(cfg, p.logf)
	if err != nil {
		return err
	}
	var outcomes []mutantOutcome
	for i, m := range ms {
		entry := p.begin(fmt.Sprintf("[%d/%d] %s in %s", i+1, len(ms), m.Name, m.Scenario), m.Defect)
		o, j := c.tryMutant(ctx, s, m, entry.display())
		entry.end(j, o.err)
		p.logf("%s %s", o.status, strings.Join(o.by, ", "))
		outcomes = append(outcomes, o)
	}
	return concludeMutants(c.out, s.Dir, outcomes)
}

func pickMutants(dir string, names []string) ([]mutant, error) {
	all, err := readMutants(dir)
	if err != nil {
		return nil, err
	}
	var known []string
	for _, m := range all {
		known = append(known, m.Name)
	}
	for _, n := range names {
		if !slices.Contains(known, n) {
			return nil, fmt.Errorf("%w: no mutant %q: there are %s", errUsage, n, strings.Join(known, ", "))
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: no *%s in %s", errUsage, mutantExt, mutantsDir)
	}
	return slices.DeleteFunc(all, func(m mutant) bool { return len(names) > 0 && !slices.Contains(names, m.Name) }), nil
}

// soaks reports whether the mutant's scenario takes many minutes.
func (c *console) soaks(m mutant) bool {
	sc, err := c.find(m.Scenario)
	return err == nil && sc.Soak
}

// tryMutant builds the service with the defect and runs the scenario that must notice it.
func (c *console) tryMutant(ctx context.Context, s *Session, m mutant, show Display) (o mutantOutcome, j check.Judgement) {
	o = mutantOutcome{mutant: m, status: outcomeNotRun}
	sc, err := c.find(m.Scenario)
	if err != nil {
		o.err = err
		return o, j
	}
	if s.Overlay, o.err = m.overlay(s.Root, filepath.Join(s.Dir, overlaysDir, m.Name)); o.err != nil {
		return o, j
	}
	slot, err := s.Next(ctx)
	if err != nil {
		o.err = err
		return o, j
	}
	defer slot.Release()
	j, err = slot.Run(ctx, sc, m.Name, show)
	if err != nil && !errors.Is(err, ErrLeftovers) {
		o.err = err
		return o, j
	}
	o.err = errors.Join(err, s.Reports.Scenario(filepath.Join(s.Dir, m.Name)))
	o.status, o.by = judgeMutant(m, j)
	return o, j
}

// judgeMutant asks whether the right check failed. Several checks may; the named one must be among them.
func judgeMutant(m mutant, j check.Judgement) (status string, by []string) {
	for _, v := range slices.Concat(j.Checks, j.Assumptions) {
		if v.Status == check.Fail {
			by = append(by, v.Check)
		}
	}
	switch {
	case slices.Contains(by, m.Check):
		return outcomeCaught, by
	case len(by) > 0:
		return outcomeOther, by
	case j.Status == check.Unknown:
		return outcomeUnknown, nil
	default:
		return outcomeSurvived, nil
	}
}

func concludeMutants(out io.Writer, dir string, outcomes []mutantOutcome) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "MUTANT\tSCENARIO\tMUST BE CAUGHT BY\tOUTCOME\tFAILED CHECKS")
	caught := 0
	var errs []error
	for _, o := range outcomes {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", o.Name, o.Scenario, o.Check, o.status, strings.Join(o.by, ", "))
		if o.status == outcomeCaught {
			caught++
		}
		errs = append(errs, o.err)
	}
	if err := errors.Join(append(errs, w.Flush())...); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d of %d mutants caught by the check that is named; evidence in %s\n", caught, len(outcomes), dir)
	if caught < len(outcomes) {
		return statusError(ExitFail)
	}
	return nil
}
