package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// closeLimit bounds the removal of one scenario's nodes.
const closeLimit = time.Minute

// errNoDriver says that there is nothing to run nodes on, which the next scenario would find too.
var errNoDriver = fmt.Errorf("%w", harness.ErrSetup)

// Session is one run of one or more scenarios into one folder. The command line and `go test` both use it.
type Session struct {
	Config
	Dir  string // <out>/<run>
	Race bool   // builds the Go programs with the race detector

	run         runner
	setUp, load runSlot

	mu      sync.Mutex
	record  evidence.Session
	waiting []evidence.NotRun // still to be run
}

// runner runs a scenario as harness.Run does.
type runner func(context.Context, harness.Scenario, harness.Options) (*evidence.Run, check.Judgement, error)

// NewSession makes the run's folder and points `latest` at it. It tells logf the run's id, seed and driver.
func NewSession(c Config, logf func(string, ...any)) (*Session, error) {
	id := newRunID()
	s := &Session{Config: c, Dir: filepath.Join(c.Out, id), run: harness.Run, setUp: newRunSlot(), load: newRunSlot(),
		record: evidence.Session{Run: id, Started: time.Now().UTC(), Seed: c.Seed, Driver: c.Driver.Kind.Name()}}
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", errUsage, envOut, err)
	}
	if err := os.Mkdir(s.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("create the run's folder: %w", err)
	}
	logf("run %s, seed %d, driver %s: %s", id, c.Seed, s.record.Driver, c.Why)
	return s, errors.Join(s.write(), pointLatest(c.Out, id))
}

// newRunID names a run so that ids sort by time and no two processes of a machine share one.
func newRunID() string {
	return fmt.Sprintf("%s-%d", time.Now().UTC().Format("20060102-150405"), os.Getpid())
}

// runOn runs the scenario, and leaves in its folder why it could not be run.
func (s *Session) runOn(ctx context.Context, sc harness.Scenario, opt harness.Options) (check.Judgement, error) {
	_, j, err := s.run(ctx, sc, opt)
	if err == nil {
		return j, nil
	}
	if !isScenarioDir(opt.Dir) {
		return j, errors.Join(err, s.notRun(filepath.Base(opt.Dir), sc.Claim, check.OneLine(err.Error())))
	}
	return j, errors.Join(err, evidence.WriteJSON(filepath.Join(opt.Dir, evidence.VerdictsFile), check.Judgement{Reason: check.OneLine(err.Error())}))
}

// ErrLeftovers says that something of a run is still there; the next start sweeps it.
var ErrLeftovers = errors.New("not everything of this run could be removed")

func removeNodes(ctx context.Context, d env.Driver) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeLimit)
	defer cancel()
	if err := d.Close(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrLeftovers, err)
	}
	return nil
}

// Expect puts scenarios into the reports that are still to be run, so that of a run that is killed nobody takes what it got to
// for all.
func (s *Session) Expect(all ...harness.Scenario) error {
	return s.expect(scenarioJobs(all))
}

func (s *Session) expect(jobs []job) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range jobs {
		s.waiting = append(s.waiting, evidence.NotRun{Name: x.folder, Claim: x.about, Reason: "the run was cut short before it began"})
	}
	return s.write()
}

// NotRun puts a scenario that was not run into the reports, so that nobody takes its absence for a pass.
func (s *Session) NotRun(sc harness.Scenario, reason string) error {
	return s.notRun(sc.Name, sc.Claim, reason)
}

// notRun names the folder that the run would have had.
func (s *Session) notRun(folder, claim, reason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.record.NotRun = append(s.record.NotRun, evidence.NotRun{Name: folder, Claim: claim, Reason: reason})
	return s.drop(folder)
}

// begun takes the run with that folder off those that are still to be run.
func (s *Session) begun(folder string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drop(folder)
}

// drop is called with the lock held, as write is.
func (s *Session) drop(folder string) error {
	s.waiting = slices.DeleteFunc(s.waiting, func(n evidence.NotRun) bool { return n.Name == folder })
	return s.write()
}

func (s *Session) write() error {
	r := s.record
	r.NotRun = slices.Concat(r.NotRun, s.waiting)
	return r.Write(s.Dir)
}

// Report writes every report of the run anew from what is on disk. It counts the scenarios, and those that passed.
func (s *Session) Report() (passed, all int, err error) { return s.Reports.Run(s.Dir) }

// pointLatest makes out/latest name the newest run, in one step.
func pointLatest(out, id string) error {
	tmp := filepath.Join(out, fmt.Sprintf(".latest-%d", os.Getpid()))
	if err := os.Symlink(id, tmp); err != nil {
		return fmt.Errorf("point latest at the run: %w", err)
	}
	if err := os.Rename(tmp, filepath.Join(out, "latest")); err != nil {
		return errors.Join(fmt.Errorf("point latest at the run: %w", err), os.Remove(tmp))
	}
	return nil
}
