package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/sentinel-chaos/sentinel/fixtures/docker"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Display hears how a scenario's run goes on.
type Display struct {
	Logf   func(string, ...any) // progress, one line each
	OnCall func(evidence.Call)  // each finished request; may be nil
}

// Next waits for a turn: until nothing of this session is being set up or under load. What is left of a run then, until its
// nodes are gone, goes on beside the next one's set-up.
func (s *Session) Next(ctx context.Context) (*Turn, error) {
	end, err := s.setUp.take(ctx)
	if err != nil {
		return nil, err
	}
	return &Turn{session: s, end: end}, nil
}

// Turn is the right to run one scenario.
type Turn struct {
	session *Session
	end     func()
}

// End lets the next one have its turn. A run does so itself when its load is over; until then, and without a run, it is for
// the caller to do. It is safe to call twice, and on nil.
func (t *Turn) End() {
	if t != nil {
		t.end()
	}
}

// Run runs one scenario on nodes of its own, which are gone when it returns; its evidence goes to the named folder of the
// run's, which is the scenario's name unless a scenario is run more than once. An error means that there is no judgement,
// which the reports say too, or, with ErrLeftovers, that the judgement stands and nodes could not be removed.
func (t *Turn) Run(ctx context.Context, sc harness.Scenario, folder string, show Display) (check.Judgement, error) {
	s := t.session
	d, err := docker.New(ctx, docker.Options{Run: s.record.Run + "-" + folder, Root: s.Root, Progress: show.Logf, Overlay: s.Overlay, Race: s.Race, Images: &s.images})
	if err != nil {
		err = fmt.Errorf("%w: %w", errNoDriver, err)
		return check.Judgement{}, errors.Join(err, s.NotRun(sc, oneLine(err)))
	}
	gone := func() {}
	defer func() { gone() }()
	opt := harness.Options{Driver: d, Dir: filepath.Join(s.Dir, folder), Seed: s.Seed, Logf: show.Logf, OnCall: show.OnCall, Loaded: t.end,
		Ready: func(ctx context.Context) error {
			giveBack, err := s.load.take(ctx)
			if err == nil {
				gone = giveBack
			}
			return err
		}}
	j, err := s.runOn(ctx, sc, opt)
	return j, errors.Join(err, s.begun(sc), removeNodes(ctx, d))
}

// turns are taken one at a time.
type turns chan struct{}

func newTurns() turns { return make(turns, 1) }

// take waits until the turn is nobody's. The function it returns gives the turn back and is safe to call twice.
func (t turns) take(ctx context.Context) (giveBack func(), err error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	select {
	case t <- struct{}{}:
		return sync.OnceFunc(func() { <-t }), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
