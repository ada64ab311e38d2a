package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// overlaysDir is where a run keeps the edited files of its mutants. Go tools ignore a folder of such a name.
const overlaysDir = "_overlays"

type mutantsCmd struct {
	Names []string `arg:"" optional:"" help:"Mutants to run; without any, all but those of soaks."`
}

func (cmd mutantsCmd) Run(ctx context.Context, c *console) error {
	cfg, err := ReadConfig(ctx, c.App, c.getenv)
	if err != nil {
		return err
	}
	ms, err := c.pickMutants(cfg.Root, cmd.Names)
	if err != nil {
		return err
	}
	if err := cfg.fitMutants(ms); err != nil {
		return err // before anything starts, also of those that would run last
	}
	p := newProgress(c.err, c.live)
	s, err := NewSession(cfg, p.logf)
	if err != nil {
		return err
	}
	return c.runMutants(ctx, s, ms, p)
}

// pickMutants finds mutants by name; no names means all but those of soaks, which have to be named. Those of one scenario are
// neighbours, in the catalogue's order.
func (c *console) pickMutants(root string, names []string) ([]mutant, error) {
	all, err := readMutants(filepath.Join(root, filepath.FromSlash(c.Mutants)))
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
	picked := slices.DeleteFunc(all, func(m mutant) bool {
		return !slices.Contains(names, m.Name) && (len(names) > 0 || c.soaks(m))
	})
	if len(picked) == 0 {
		return nil, fmt.Errorf("%w: no *%s in %s, or only those of soaks, which have to be named", errUsage, mutantExt, c.Mutants)
	}
	slices.SortStableFunc(picked, func(a, b mutant) int { return cmp.Compare(c.place(a.Scenario), c.place(b.Scenario)) })
	return picked, nil
}

// soaks reports whether the mutant's scenario takes many minutes.
func (c *console) soaks(m mutant) bool {
	sc, err := c.find(m.Scenario)
	return err == nil && sc.Soak
}

// place is where the scenario stands in the catalogue, -1 if it does not.
func (a App) place(scenario string) int {
	for i, sc := range a.Catalogue {
		if sc.Name == scenario {
			return i
		}
	}
	return -1
}

// fitMutants refuses a mutant that does not apply, or whose scenario cannot be run or cannot notice it.
func (c Config) fitMutants(ms []mutant) error {
	for _, m := range ms {
		if err := m.named(c.Catalogue); err != nil {
			return fmt.Errorf("%w: %w", errUsage, err)
		}
		if _, err := m.patched(c.Root); err != nil {
			return fmt.Errorf("%w: %w", errUsage, err)
		}
		sc, err := c.find(m.Scenario)
		if err != nil {
			return err
		}
		if err := c.Fit(sc); err != nil {
			return err
		}
	}
	return nil
}

// runMutants runs each mutant's scenario on a build that has the defect, and each scenario once before on the service as it is, with
// the same seed. It shows what became of them, and returns the worst.
func (c *console) runMutants(ctx context.Context, s *Session, ms []mutant, p *progress) error {
	jobs, err := c.mutantJobs(s, ms)
	if err != nil {
		return err
	}
	t := newTally(s, ms, jobs, p.began)
	if err := errors.Join(s.expect(jobs), t.save()); err != nil {
		return err
	}
	p.logf("%d mutants, and %d runs of the service without a defect: some %s", len(ms), len(jobs)-len(ms), readable(t.left))
	worst := runAll(ctx, s, jobs, p, t.hear)
	if worst != nil && !errors.As(worst, new(statusError)) {
		return worst
	}
	m := t.matrix()
	_, _, err = s.Report()
	if err := errors.Join(t.err, printMatrix(c.out, m), err); err != nil {
		return err
	}
	fmt.Fprintf(c.out, "report: %s\n", filepath.Join(s.Dir, "index.html"))
	return statusOf(maxSeverity(exitCode(worst), statusCode(m.Status())))
}

// mutantJobs has the control of each scenario before the scenario's mutants, which are neighbours.
func (c *console) mutantJobs(s *Session, ms []mutant) ([]job, error) {
	var jobs []job
	for i, m := range ms {
		sc, err := c.find(m.Scenario)
		if err != nil {
			return nil, err
		}
		if i == 0 || ms[i-1].Scenario != m.Scenario {
			jobs = append(jobs, job{Scenario: sc, folder: sc.Name, title: "control of " + sc.Name, about: "The service as it is, without a defect."})
		}
		overlay, err := m.overlay(s.Root, filepath.Join(s.Dir, overlaysDir, m.Name))
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, job{Scenario: sc, folder: m.Name, overlay: overlay, title: m.Name + " in " + sc.Name, about: m.Defect})
	}
	return jobs, nil
}

// tally keeps what came of mutants and of their controls.
type tally struct {
	session *Session
	mutants []check.Mutant
	began   time.Time

	mu         sync.Mutex
	judged     map[string]check.Judgement // by folder
	done, left time.Duration              // what the jobs that have ended, and the others, were thought to take
	err        error                      // of the first that could not be saved
}

func newTally(s *Session, ms []mutant, jobs []job, began time.Time) *tally {
	t := &tally{session: s, began: began, judged: map[string]check.Judgement{}}
	for _, m := range ms {
		t.mutants = append(t.mutants, m.Mutant)
	}
	for _, x := range jobs {
		t.left += x.Drawn(s.Seed).Estimate()
	}
	return t
}

func (t *tally) matrix() check.Matrix { return check.NewMatrix(t.mutants, t.judged) }

func (t *tally) save() error {
	return evidence.WriteJSON(filepath.Join(t.session.Dir, evidence.MutantsFile), t.matrix())
}

// hear saves what is known by now, so that a run that is killed loses no more than what it was at.
func (t *tally) hear(x job, j check.Judgement) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.judged[x.folder] = j
	estimate := x.Drawn(t.session.Seed).Estimate()
	t.done, t.left = t.done+estimate, t.left-estimate
	t.err = cmp.Or(t.err, t.save())
	took := time.Since(t.began)
	return fmt.Sprintf("%s: %s; %s so far, some %s to go", x.title, outcome(t.matrix(), x.folder), readable(took), readable(forecast(took, t.done, t.left)))
}

// outcome is what became of the run in that folder.
func outcome(m check.Matrix, folder string) string {
	for _, row := range m.Mutants {
		if row.Name == folder {
			return strings.TrimSpace(string(row.Outcome) + " " + strings.Join(row.Failed(), ", "))
		}
	}
	for _, c := range m.Controls {
		if c.Scenario == folder {
			return controlWords(c)
		}
	}
	return ""
}

func controlWords(c check.Control) string {
	if len(c.Verdicts) == 0 {
		return string(check.MutantNotRun)
	}
	return words(c.Status)
}

// forecast is how long it takes yet, if what is left takes as much longer than was thought as what is done took.
func forecast(took, done, left time.Duration) time.Duration {
	if done == 0 {
		return left
	}
	return time.Duration(float64(left) * float64(took) / float64(done))
}

func readable(d time.Duration) string { return d.Round(time.Second).String() }

// printMatrix shows what became of mutants, with the checks that failed, and of each class of them.
func printMatrix(out io.Writer, m check.Matrix) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "MUTANT\tSCENARIO\tMUST BE CAUGHT BY\tOUTCOME\tFAILED CHECKS")
	for _, row := range m.Mutants {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", row.Name, row.Scenario, row.Check, row.Outcome, strings.Join(row.Failed(), ", "))
	}
	for _, c := range m.Controls {
		if c.Status != check.Pass {
			fmt.Fprintf(w, "without a defect\t%s\t\t%s\t%s\n", c.Scenario, controlWords(c), c.Reason)
		}
	}
	if len(m.Classes) > 0 {
		fmt.Fprintln(w, "\nCLASS\tMUTANTS\tCAUGHT\tBY THE NAMED CHECK")
	}
	for _, s := range m.Classes {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\n", s.Class, s.Mutants, s.Caught, s.Named)
	}
	fmt.Fprintf(w, "\n%d of %d mutants caught, %d of them by the check that is named\n", m.All.Caught, m.All.Mutants, m.All.Named)
	return w.Flush()
}

// rejudge says anew what became of the mutants of a run whose folders have been judged again. What was not run stays so, for the same
// reason. The error is fs.ErrNotExist for a folder that is of no run of mutants.
func rejudge(dir string) (check.Matrix, error) {
	path := filepath.Join(dir, evidence.MutantsFile)
	var old check.Matrix
	if err := evidence.ReadJSON(path, &old); err != nil {
		return check.Matrix{}, err
	}
	judged := map[string]check.Judgement{}
	add := func(folder, before string) error {
		var j check.Judgement
		err := evidence.ReadJSON(filepath.Join(dir, folder, evidence.VerdictsFile), &j)
		if errors.Is(err, fs.ErrNotExist) {
			j, err = check.Judgement{Reason: before}, nil
		}
		judged[folder] = j
		return err
	}
	var mutants []check.Mutant
	var errs []error
	for _, row := range old.Mutants {
		mutants = append(mutants, row.Mutant)
		errs = append(errs, add(row.Name, row.Reason))
	}
	for _, c := range old.Controls {
		errs = append(errs, add(c.Scenario, c.Reason))
	}
	if err := errors.Join(errs...); err != nil {
		return check.Matrix{}, err
	}
	m := check.NewMatrix(mutants, judged)
	return m, evidence.WriteJSON(path, m)
}
