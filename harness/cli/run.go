package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
)

type runCmd struct {
	Names []string `arg:"" optional:"" help:"Scenarios to run; without any, all but the soaks."`
	Race  bool     `help:"Build the Go programs with the race detector (needs a C compiler). They are slower then: claims about latency may fail."`
}

func (cmd runCmd) Run(ctx context.Context, c *console) error {
	picked, err := c.pick(cmd.Names)
	if err != nil {
		return err
	}
	cfg, err := ReadConfig(ctx, c.App, c.getenv)
	if err != nil {
		return err
	}
	for _, sc := range picked {
		if err := cfg.Fit(sc); err != nil {
			return err // before anything starts, also of those that would run last
		}
	}
	p := newProgress(c.err, c.live)
	s, err := NewSession(cfg, p.logf)
	if err != nil {
		return err
	}
	s.Race = cmd.Race
	jobs := scenarioJobs(picked)
	if err := s.expect(jobs); err != nil {
		return err
	}
	return c.conclude(s, runAll(ctx, s, jobs, p, func(job, check.Judgement) string { return "" }))
}

// job is one run of a scenario.
type job struct {
	harness.Scenario
	folder  string // of its evidence, inside of the session's
	overlay string // `go build -overlay` file; empty runs the service as it is
	title   string // for people, as about is
	about   string // one line
}

// scenarioJobs run each scenario once.
func scenarioJobs(all []harness.Scenario) []job {
	var jobs []job
	for _, sc := range all {
		jobs = append(jobs, job{Scenario: sc, folder: sc.Name, title: sc.Name, about: sc.Claim})
	}
	return jobs
}

// code is the exit code that the job's end asks for. What a build fails that has a defect is no failure of the run.
func (x job) code(j check.Judgement, err error) int {
	code := exitCode(err)
	if x.overlay == "" && len(j.Checks) > 0 { // else nothing was judged
		code = maxSeverity(code, statusCode(j.Status))
	}
	return code
}

// hears is told what came of each job, and returns a last line for people. It is called from several goroutines.
type hears func(job, check.Judgement) string

// runAll runs jobs one after another and returns the worst that happened. While one comes to rest, is judged and removed, the next
// one is set up. When there is nothing to run nodes on, the others are not tried.
func runAll(ctx context.Context, s *Session, jobs []job, p *progress, told hears) error {
	var worst outcomes
	var runs sync.WaitGroup
	defer runs.Wait()
	for i, x := range jobs {
		slot, err := s.Next(ctx)
		if err != nil {
			err = errInterrupted
		}
		if why := cmp.Or(worst.fatal(), err); why != nil {
			slot.Release()
			worst.add(ExitUnknown, nil)
			told(x, unjudged(why))
			if err := s.notRun(x.folder, x.about, check.OneLine(why.Error())); err != nil {
				return err
			}
			continue
		}
		slot.Overlay = x.overlay
		x.title = fmt.Sprintf("[%d/%d] %s", i+1, len(jobs), x.title)
		entry := p.begin(x.title, x.about)
		runs.Go(func() {
			defer slot.Release()
			j, err := slot.Run(ctx, x.Scenario, x.folder, entry.display())
			if err != nil && len(j.Checks) == 0 {
				j = unjudged(err)
			}
			entry.end(j, err, told(x, j))
			code := x.code(j, err)
			if code == ExitSetup && ctx.Err() != nil && !errors.Is(err, ErrLeftovers) {
				code = ExitUnknown // interrupted while it was being set up: nothing is wrong with the set-up
			}
			worst.add(code, err)
		})
	}
	runs.Wait()
	return statusOf(worst.code)
}

// unjudged is what is known of a run without a judgement.
func unjudged(err error) check.Judgement { return check.Judgement{Reason: check.OneLine(err.Error())} }

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
	o.code = maxSeverity(o.code, code)
	o.first = cmp.Or(o.first, err)
}

// fatal is why no other scenario can be run either; nil if others can.
func (o *outcomes) fatal() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if errors.Is(o.first, errNoDriver) {
		return o.first
	}
	return nil
}

// conclude writes the reports, whatever happened, and passes on what did.
func (c *console) conclude(s *Session, err error) error {
	passed, all, rerr := s.Report()
	if rerr != nil {
		return errors.Join(err, rerr)
	}
	fmt.Fprintf(c.out, "%d of %d scenarios passed; report: %s\n", passed, all, filepath.Join(s.Dir, "index.html"))
	return err
}
