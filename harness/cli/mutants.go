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
	"github.com/sentinel-chaos/sentinel/reports"
)

// mutantsDir is where the patches are kept, from the module's root.
const mutantsDir = "scenarios/mutants"

type mutantsCmd struct {
	Names []string `arg:"" optional:"" help:"Mutants to run; without any, all but those of soaks."`
}

// fate is what became of one mutant.
type fate struct {
	mutant
	status string // one of the fates below
	by     []string
	dir    string
	err    error
}

const (
	fateCaught   = "caught"
	fateOther    = "caught by another check"
	fateUnknown  = "inconclusive"
	fateSurvived = "SURVIVED"
	fateNotRun   = "not run"
)

func (c mutantsCmd) Run(ctx context.Context, a *app) error {
	cfg, err := ReadConfig(a.getenv)
	if err != nil {
		return err
	}
	ms, err := pickMutants(filepath.Join(cfg.Root, filepath.FromSlash(mutantsDir)), c.Names)
	if err != nil {
		return err
	}
	for _, m := range ms {
		if err := m.named(a.catalogue); err != nil {
			return fmt.Errorf("%w: %w", errUsage, err)
		}
	}
	if len(c.Names) == 0 {
		ms = slices.DeleteFunc(ms, a.soaks)
	}
	p := newProgress(a.err, a.live)
	s, err := NewSession(cfg, p.logf)
	if err != nil {
		return err
	}
	var fates []fate
	for i, m := range ms {
		act := p.begin(fmt.Sprintf("[%d/%d] %s in %s", i+1, len(ms), m.Name, m.Scenario), m.Defect)
		f, j := a.tryMutant(ctx, s, m, act.display())
		act.end(j, f.err)
		p.logf("%s %s", f.status, strings.Join(f.by, ", "))
		fates = append(fates, f)
	}
	return concludeMutants(a.out, s.Dir, fates)
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
		return nil, fmt.Errorf("%w: no *.patch in %s", errUsage, mutantsDir)
	}
	return slices.DeleteFunc(all, func(m mutant) bool { return len(names) > 0 && !slices.Contains(names, m.Name) }), nil
}

// soaks says whether the mutant's scenario takes many minutes.
func (a *app) soaks(m mutant) bool {
	sc, err := a.find(m.Scenario)
	return err == nil && sc.Soak
}

// tryMutant builds the service with the defect and runs the scenario that must notice it.
func (a *app) tryMutant(ctx context.Context, s *Session, m mutant, show Display) (f fate, j check.Judgement) {
	f = fate{mutant: m, status: fateNotRun, dir: m.Name}
	sc, err := a.find(m.Scenario)
	if err != nil {
		f.err = err
		return f, j
	}
	tmp, err := newScratch(ctx, filepath.Base(s.Dir)+"-"+m.Name)
	if err != nil {
		f.err = fmt.Errorf("folder for mutant: %w", err)
		return f, j
	}
	defer func() { f.err = errors.Join(f.err, tmp.remove()) }()
	if s.Overlay, f.err = m.overlay(ctx, s.Root, tmp.path); f.err != nil {
		return f, j
	}
	turn, err := s.Next(ctx)
	if err != nil {
		f.err = err
		return f, j
	}
	defer turn.End()
	j, err = turn.Run(ctx, sc, m.Name, show)
	if err != nil && !errors.Is(err, ErrLeftovers) {
		f.err = err
		return f, j
	}
	f.err = errors.Join(err, reports.RenderScenario(filepath.Join(s.Dir, m.Name)))
	f.status, f.by = judgeMutant(m, j)
	return f, j
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
		return fateCaught, by
	case len(by) > 0:
		return fateOther, by
	case j.Status == check.Unknown:
		return fateUnknown, nil
	default:
		return fateSurvived, nil
	}
}

func concludeMutants(out io.Writer, dir string, fates []fate) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "MUTANT\tSCENARIO\tMUST BE CAUGHT BY\tFATE\tFAILED CHECKS")
	caught := 0
	var errs []error
	for _, f := range fates {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", f.Name, f.Scenario, f.Check, f.status, strings.Join(f.by, ", "))
		if f.status == fateCaught {
			caught++
		}
		errs = append(errs, f.err)
	}
	if err := errors.Join(append(errs, w.Flush())...); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d of %d mutants caught by the check that is named; evidence in %s\n", caught, len(fates), dir)
	if caught < len(fates) {
		return statusError{ExitFail}
	}
	return nil
}
