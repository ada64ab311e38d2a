package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Display hears how a scenario's run goes on.
type Display struct {
	Logf      func(string, ...any)   // progress, one line each
	OnRequest func(evidence.Request) // each finished request; may be nil
}

// Next waits for a slot: until nothing of this session is being set up or under load. What is left of a run then, until its
// nodes are gone, goes on beside the next one's set-up.
func (s *Session) Next(ctx context.Context) (*Slot, error) {
	release, err := s.setUp.acquire(ctx)
	if err != nil {
		return nil, err
	}
	return &Slot{session: s, release: release}, nil
}

// Slot is the right to run one scenario.
type Slot struct {
	Overlay string // `go build -overlay` file under which the Go programs are built; empty builds them as they are

	session *Session
	release func()
}

// Release lets the next scenario have its slot. A run does so itself when its load is over; until then, and without a run,
// the caller has to. Release is safe to call twice, and on nil.
func (slot *Slot) Release() {
	if slot != nil {
		slot.release()
	}
}

// Run runs one scenario on nodes of its own, which are gone when it returns; its evidence goes to the named folder of the
// run's, which is the scenario's name unless a scenario is run more than once. An error means that there is no judgement,
// which the reports say too, or, with ErrLeftovers, that the judgement stands and nodes could not be removed.
func (slot *Slot) Run(ctx context.Context, sc harness.Scenario, folder string, show Display) (check.Judgement, error) {
	s := slot.session
	d, err := s.Driver.Connect(ctx, Connection{Run: s.record.Run + "-" + folder, Root: s.Root, Overlay: slot.Overlay, Race: s.Race, Logf: show.Logf})
	if err != nil {
		err = fmt.Errorf("%w: %w", errNoDriver, err)
		return check.Judgement{}, errors.Join(err, s.notRun(folder, sc.Claim, check.OneLine(err.Error())))
	}
	releaseLoad := func() {}
	defer func() { releaseLoad() }()
	opt := harness.Options{Driver: d, Dir: filepath.Join(s.Dir, folder), Seed: s.Seed, Logf: show.Logf, OnRequest: show.OnRequest, Loaded: slot.release,
		Ready: func(ctx context.Context) error {
			release, err := s.load.acquire(ctx)
			if err == nil {
				releaseLoad = release
			}
			return err
		}}
	j, err := s.runOn(ctx, sc, opt)
	return j, errors.Join(err, s.begun(folder), removeNodes(ctx, d))
}

// runSlot is held by one run at a time.
type runSlot chan struct{}

func newRunSlot() runSlot { return make(runSlot, 1) }

// acquire waits until nobody holds the slot. The function it returns is safe to call twice.
func (s runSlot) acquire(ctx context.Context) (release func(), err error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	select {
	case s <- struct{}{}:
		return sync.OnceFunc(func() { <-s }), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
