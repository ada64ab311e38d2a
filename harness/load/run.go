package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// ErrWarmUp says that the warm-up was not answered as it should be.
var ErrWarmUp = errors.New("warm-up failed")

// Run sends the stages of a profile and calls emit once for every planned request, when its fate is known: also for those
// that were never sent, because ctx ended first. Calls to emit do not overlap. now counts from the run's epoch, and
// start is the moment on that clock at which the load begins; it should lie a little ahead, so that the first requests
// can be made ready. The end of ctx is part of the evidence, not an error. A panic of the profile's functions is an error.
func Run(ctx context.Context, p Profile, to Target, seed uint64, start time.Duration, now func() time.Duration, emit func(evidence.Call)) error {
	g, err := newGenerator(ctx, p, to, seed, fmt.Sprintf("%x", seed), clock{now: now, start: start}, emit)
	if err != nil {
		return err
	}
	return g.run()
}

// WarmUp sends the warm-up of a profile and returns an error unless every request of it was answered ok. Its requests are
// not part of the plan and leave no record.
func WarmUp(ctx context.Context, p Profile, to Target, seed uint64) error {
	var bad []evidence.Call
	note := func(c evidence.Call) {
		if c.Outcome != evidence.OK {
			bad = append(bad, c)
		}
	}
	began := time.Now()
	p.Stages = p.Warmup
	g, err := newGenerator(ctx, p, to, seed, fmt.Sprintf("warm-%x", seed), clock{now: func() time.Duration { return time.Since(began) }}, note)
	if err != nil {
		return err
	}
	if err := g.run(); err != nil {
		return err
	}
	if len(bad) > 0 {
		c := bad[0]
		return fmt.Errorf("%w: %d requests not ok, among them %s of stage %q: %s %s, status %d",
			ErrWarmUp, len(bad), c.ID, c.Stage, c.Outcome, c.Reason, c.Status)
	}
	return nil
}
