package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/sentinel-chaos/sentinel/harness"
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
	if err := s.Expect(picked...); err != nil {
		return err
	}
	return c.conclude(s, runAll(ctx, s, picked, p))
}

// runAll runs the scenarios one after another and returns the worst that happened. When there is nothing to run nodes on, the
// others are not tried.
func runAll(ctx context.Context, s *Session, picked []harness.Scenario, p *progress) error {
	var worst outcomes
	var runs sync.WaitGroup
	defer runs.Wait()
	for i, sc := range picked {
		slot, err := s.Next(ctx)
		if err != nil {
			err = errInterrupted
		}
		if why := cmp.Or(worst.fatal(), err); why != nil {
			slot.Release()
			worst.add(ExitUnknown, nil)
			if err := s.NotRun(sc, why.Error()); err != nil {
				return err
			}
			continue
		}
		entry := p.begin(fmt.Sprintf("[%d/%d] %s", i+1, len(picked), sc.Name), sc.Claim)
		runs.Go(func() {
			defer slot.Release()
			j, err := slot.Run(ctx, sc, sc.Name, entry.display())
			code := entry.end(j, err)
			if code == ExitSetup && ctx.Err() != nil && !errors.Is(err, ErrLeftovers) {
				code = ExitUnknown // interrupted while it was being set up: nothing is wrong with the set-up
			}
			worst.add(code, err)
		})
	}
	runs.Wait()
	return statusOf(worst.code)
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
