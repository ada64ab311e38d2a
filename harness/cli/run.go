package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/reports"
)

type runCmd struct {
	Names []string `arg:"" optional:"" help:"Scenarios to run; all without any."`
}

func (c runCmd) Run(ctx context.Context, a *app) error {
	picked, err := a.pick(c.Names)
	if err != nil {
		return err
	}
	cfg, err := ReadConfig(a.getenv)
	if err != nil {
		return err
	}
	p := newProgress(a.err, a.live)
	s, err := NewSession(cfg, p.logf)
	if err != nil {
		return err
	}
	s.OnCall = p.call
	p.logf("run %s, seed %d", filepath.Base(s.Dir), cfg.Seed)
	code := ExitPass
	for i, sc := range picked {
		if ctx.Err() != nil {
			code = worse(code, ExitUnknown)
			err = errors.Join(err, s.NotRun(sc, "interrupted"))
			continue
		}
		p.begin(fmt.Sprintf("[%d/%d] %s", i+1, len(picked), sc.Name), sc.Claim)
		j, rerr := s.Run(ctx, sc, sc.Name)
		code = worse(code, p.end(j, rerr))
		if rerr != nil {
			err = errors.Join(err, s.NotRun(sc, oneLine(rerr)))
		}
	}
	return a.conclude(s, code, err)
}

// conclude writes the reports and turns the worst outcome into the command's.
func (a *app) conclude(s *Session, code int, err error) error {
	res, rerr := s.Report()
	if err := errors.Join(err, rerr); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "report: %s\n", filepath.Join(s.Dir, "index.html"))
	if code == ExitPass {
		return nil
	}
	return statusError{code, fmt.Sprintf("%d of %d scenarios passed", passed(res), len(res.Scenarios))}
}

func passed(r reports.Results) int {
	n := 0
	for _, s := range r.Scenarios {
		if s.Status == reports.Pass {
			n++
		}
	}
	return n
}

type judgeCmd struct {
	Dir string `arg:"" help:"A run's folder, or one scenario's folder inside it."`
}

func (c judgeCmd) Run(a *app) error {
	dirs, err := scenarioDirs(c.Dir)
	if err != nil {
		return err
	}
	code := ExitPass
	for _, dir := range dirs {
		plan, err := evidence.ReadPlan(dir)
		if err != nil {
			return fmt.Errorf("%w: %w", errUsage, err)
		}
		s, err := a.find(plan.Scenario)
		if err != nil {
			return err
		}
		_, j, err := harness.Judge(dir, s)
		if err != nil {
			return err
		}
		printJudgement(a.out, plan.Scenario, j)
		code = worse(code, statusCode(j.Status))
	}
	if code != ExitPass {
		return statusError{code, "not everything passed"}
	}
	return nil
}

type reportCmd struct {
	Dir string `arg:"" help:"A run's folder, or one scenario's folder inside it."`
}

func (c reportCmd) Run(a *app) error {
	if isScenarioDir(c.Dir) {
		if err := reports.RenderScenario(c.Dir); err != nil {
			return err
		}
		fmt.Fprintf(a.out, "report: %s\n", filepath.Join(c.Dir, "report.html"))
		return nil
	}
	if _, err := scenarioDirs(c.Dir); err != nil {
		return err
	}
	if _, err := reports.Render(c.Dir); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "report: %s\n", filepath.Join(c.Dir, "index.html"))
	return nil
}

func isScenarioDir(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "plan.json"))
	return err == nil
}

// scenarioDirs takes one scenario's folder or a run's and returns the scenarios' folders by name.
func scenarioDirs(dir string) ([]string, error) {
	if isScenarioDir(dir) {
		return []string{dir}, nil
	}
	plans, err := filepath.Glob(filepath.Join(dir, "*", "plan.json"))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUsage, err)
	}
	if len(plans) == 0 {
		return nil, fmt.Errorf("%w: %s holds no run: name a folder with plan.json in it, or one that `chaos run` wrote", errUsage, dir)
	}
	for i := range plans {
		plans[i] = filepath.Dir(plans[i])
	}
	return plans, nil
}
