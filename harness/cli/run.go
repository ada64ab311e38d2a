package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/reports"
)

type runCmd struct {
	Names []string `arg:"" optional:"" help:"Scenarios to run; without any, all but the soaks."`
	Race  bool     `help:"Build the service and the fake LLM with the race detector (needs a C compiler). They are slower then: claims about latency may fail."`
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
	for _, sc := range picked {
		if err := cfg.Fit(sc); err != nil {
			return err // before anything starts, also of those that would run last
		}
	}
	p := newProgress(a.err, a.live)
	s, err := NewSession(cfg, p.logf)
	if err != nil {
		return err
	}
	s.Race = c.Race
	if err := s.Expect(picked...); err != nil {
		return err
	}
	p.logf("run %s, seed %d", filepath.Base(s.Dir), cfg.Seed)
	return a.conclude(s, a.runAll(ctx, s, picked, p))
}

// runAll runs the scenarios in turn and returns the worst that happened. When there is nothing to run nodes on, the others are
// not tried.
func (a *app) runAll(ctx context.Context, s *Session, picked []harness.Scenario, p *progress) error {
	var worst outcomes
	var runs sync.WaitGroup
	defer runs.Wait()
	for i, sc := range picked {
		turn, err := s.Next(ctx)
		if err != nil {
			err = errInterrupted
		}
		if why := cmp.Or(worst.hopeless(), err); why != nil {
			turn.End()
			worst.add(ExitUnknown, nil)
			if err := s.NotRun(sc, why.Error()); err != nil {
				return err
			}
			continue
		}
		act := p.begin(fmt.Sprintf("[%d/%d] %s", i+1, len(picked), sc.Name), sc.Claim)
		runs.Go(func() {
			defer turn.End()
			j, err := turn.Run(ctx, sc, sc.Name, act.display())
			code := act.end(j, err)
			if code == ExitSetup && ctx.Err() != nil && !errors.Is(err, ErrLeftovers) {
				code = ExitUnknown // interrupted while it was being set up: nothing is wrong with the set-up
			}
			worst.add(code, err)
		})
	}
	runs.Wait()
	return worst.status()
}

var errInterrupted = errors.New("interrupted before it began")

// outcomes is what came of several scenarios. Its zero value is that of none.
type outcomes struct {
	mu    sync.Mutex
	code  int
	first error // of the set-ups that failed
}

func (o *outcomes) add(code int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.code = worse(o.code, code)
	o.first = cmp.Or(o.first, err)
}

// hopeless says why no other scenario can be run either.
func (o *outcomes) hopeless() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if errors.Is(o.first, errNoDriver) {
		return o.first
	}
	return nil
}

func (o *outcomes) status() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.code == ExitPass {
		return nil
	}
	return statusError{code: o.code}
}

// conclude writes the reports, whatever happened, and passes on what did.
func (a *app) conclude(s *Session, err error) error {
	res, rerr := s.Report()
	if rerr != nil {
		return errors.Join(err, rerr)
	}
	fmt.Fprintf(a.out, "%d of %d scenarios passed; report: %s\n", res.Count(reports.Pass), len(res.Scenarios), filepath.Join(s.Dir, "index.html"))
	return err
}

type judgeCmd struct {
	Dir string `arg:"" help:"A run's folder, or one scenario's folder inside it."`
}

func (c judgeCmd) Run(a *app) error {
	dirs, err := scenarioDirs(c.Dir)
	if err != nil {
		return err
	}
	code, err := a.notRun(c.Dir)
	if err != nil {
		return err
	}
	if len(dirs) == 0 {
		code = ExitUnknown // whatever was asked for
	}
	for _, dir := range dirs {
		one, err := a.judge(dir)
		if err != nil {
			return err
		}
		code = worse(code, one)
	}
	if code != ExitPass {
		return statusError{code: code}
	}
	return nil
}

// notRun tells which scenarios a run was asked for and never began, and returns the exit code that this asks for. A single
// scenario's folder knows of no others.
func (a *app) notRun(dir string) (code int, err error) {
	r, err := reports.ReadRun(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return ExitPass, nil
	}
	if err != nil {
		return 0, err
	}
	for _, n := range r.NotRun {
		if !isScenarioDir(filepath.Join(dir, n.Name)) {
			fmt.Fprintf(a.out, "  not run %s - %s\n", n.Name, n.Reason)
			code = ExitUnknown
		}
	}
	return code, nil
}

// judge judges one scenario's folder and returns the exit code that it asks for. Evidence that is damaged proves nothing, and
// what was found before it was is no longer said of it.
func (a *app) judge(dir string) (code int, err error) {
	j, err := a.judgement(dir)
	switch {
	case errors.Is(err, evidence.ErrFormat):
		return 0, fmt.Errorf("%w: %w", errUsage, err)
	case errors.Is(err, evidence.ErrDamaged):
		j = check.Judgement{Reason: oneLine(err)}
		err = evidence.WriteJSON(filepath.Join(dir, harness.VerdictsFile), j)
	}
	if err != nil {
		return 0, err
	}
	printJudgement(a.out, filepath.Base(dir), j)
	return statusCode(j.Status), nil
}

func (a *app) judgement(dir string) (check.Judgement, error) {
	plan, err := evidence.ReadPlan(dir)
	if err != nil {
		return check.Judgement{}, err
	}
	s, err := a.find(plan.Scenario)
	if err != nil {
		return check.Judgement{}, err
	}
	_, j, err := harness.Judge(dir, s)
	return j, err
}

type reportCmd struct {
	Dir string `arg:"" help:"A run's folder, or one scenario's folder inside it."`
}

func (c reportCmd) Run(a *app) error {
	page, err := render(c.Dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, evidence.ErrFormat) {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "report: %s\n", filepath.Join(c.Dir, page))
	return nil
}

// render writes the reports of one scenario's folder or of a run's, and names the page to open.
func render(dir string) (page string, err error) {
	if isScenarioDir(dir) {
		if _, err := evidence.ReadPlan(dir); errors.Is(err, evidence.ErrFormat) {
			return "", err
		}
		return "report.html", reports.RenderScenario(dir)
	}
	if _, err := scenarioDirs(dir); err != nil {
		return "", err
	}
	_, err = reports.Render(dir)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: name the folder that `chaos run` wrote, or one scenario's folder inside it", err)
	}
	return "index.html", err
}

func isScenarioDir(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, planFile))
	return err == nil
}

func isRunDir(dir string) bool {
	_, err := reports.ReadRun(dir)
	return err == nil
}

// scenarioDirs takes one scenario's folder or a run's and returns the scenarios' folders by name. A run may have begun none.
func scenarioDirs(dir string) ([]string, error) {
	if isScenarioDir(dir) {
		return []string{dir}, nil
	}
	plans, err := filepath.Glob(filepath.Join(dir, "*", planFile))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUsage, err)
	}
	if len(plans) == 0 && !isRunDir(dir) {
		return nil, fmt.Errorf("%w: %s holds no run: name a folder with plan.json in it, or one that `chaos run` wrote", errUsage, dir)
	}
	for i := range plans {
		plans[i] = filepath.Dir(plans[i])
	}
	return plans, nil
}
