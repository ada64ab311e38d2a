package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

type judgeCmd struct {
	Dir string `arg:"" help:"A run's folder, or one scenario's folder inside it."`
}

func (cmd judgeCmd) Run(c *console) error {
	dirs, err := scenarioDirs(cmd.Dir)
	if err != nil {
		return err
	}
	code, err := c.notRun(cmd.Dir)
	if err != nil {
		return err
	}
	if len(dirs) == 0 {
		code = ExitUnknown // whatever was asked for
	}
	for _, dir := range dirs {
		one, err := c.judge(dir)
		if err != nil {
			return err
		}
		code = maxSeverity(code, one)
	}
	m, err := rejudge(cmd.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return statusOf(code)
	}
	if err != nil {
		return err
	}
	if err := printMatrix(c.out, m); err != nil {
		return err
	}
	return statusOf(statusCode(m.Status()))
}

// notRun tells which scenarios a run was asked for and never began, and returns the exit code that this asks for. A single
// scenario's folder knows of no others.
func (c *console) notRun(dir string) (code int, err error) {
	r, err := evidence.ReadSession(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return ExitPass, nil
	}
	if err != nil {
		return 0, err
	}
	for _, n := range r.NotRun {
		if !isScenarioDir(filepath.Join(dir, n.Name)) {
			fmt.Fprintf(c.out, "  not run %s - %s\n", n.Name, n.Reason)
			code = ExitUnknown
		}
	}
	return code, nil
}

// judge judges one scenario's folder and returns the exit code that it asks for. Evidence that is damaged proves nothing, and
// what was found before it was is no longer said of it.
func (c *console) judge(dir string) (code int, err error) {
	j, err := c.judgement(dir)
	switch {
	case errors.Is(err, evidence.ErrFormat):
		return 0, fmt.Errorf("%w: %w", errUsage, err)
	case errors.Is(err, evidence.ErrDamaged):
		j = check.Judgement{Reason: check.OneLine(err.Error())}
		err = evidence.WriteJSON(filepath.Join(dir, evidence.VerdictsFile), j)
	}
	if err != nil {
		return 0, err
	}
	printJudgement(c.out, filepath.Base(dir), j)
	return statusCode(j.Status), nil
}

func (c *console) judgement(dir string) (check.Judgement, error) {
	plan, err := evidence.ReadPlan(dir)
	if err != nil {
		return check.Judgement{}, err
	}
	s, err := c.find(plan.Scenario)
	if err != nil {
		return check.Judgement{}, err
	}
	_, j, err := harness.Judge(dir, s)
	return j, err
}

type reportCmd struct {
	Dir string `arg:"" help:"A run's folder, or one scenario's folder inside it."`
}

func (cmd reportCmd) Run(c *console) error {
	page, err := c.render(cmd.Dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, evidence.ErrFormat) {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "report: %s\n", filepath.Join(cmd.Dir, page))
	return nil
}

// render writes the reports of one scenario's folder or of a run's, and names the page to open.
func (c *console) render(dir string) (page string, err error) {
	if isScenarioDir(dir) {
		if _, err := evidence.ReadPlan(dir); errors.Is(err, evidence.ErrFormat) {
			return "", err
		}
		return "report.html", c.Reports.Scenario(dir)
	}
	if _, err := scenarioDirs(dir); err != nil {
		return "", err
	}
	_, _, err = c.Reports.Run(dir)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: name the folder that `chaos run` wrote, or one scenario's folder inside it", err)
	}
	return "index.html", err
}

// isScenarioDir reports whether a scenario was begun in the folder.
func isScenarioDir(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, evidence.PlanFile))
	return err == nil
}

// scenarioDirs takes one scenario's folder or a run's and returns the scenarios' folders by name. A run may have begun none.
func scenarioDirs(dir string) ([]string, error) {
	if isScenarioDir(dir) {
		return []string{dir}, nil
	}
	plans, err := filepath.Glob(filepath.Join(dir, "*", evidence.PlanFile))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUsage, err)
	}
	if _, err := evidence.ReadSession(dir); err != nil && len(plans) == 0 {
		return nil, fmt.Errorf("%w: %s holds no run: name a folder with %s in it, or one that `chaos run` wrote", errUsage, dir, evidence.PlanFile)
	}
	for i := range plans {
		plans[i] = filepath.Dir(plans[i])
	}
	return plans, nil
}
