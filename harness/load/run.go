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
// can be made ready. The end of ctx is part of the evidence, not an error.
func Run(ctx context.Context, p Profile, to Target, seed uint64, start time.Duration, now func() time.Duration, emit func(evidence.Call)) error {
	if err := p.validate(to); err != nil {
		return err
	}
	g := newGenerator(ctx, p, to, seed, start, now, emit)
	return g.run(fmt.Sprintf("%x", seed), p.Stages)
}

// WarmUp sends the warm-up of a profile and returns an error unless every request of it was answered ok. Its requests are
// not part of the plan and leave no record.
func WarmUp(ctx context.Context, p Profile, to Target, seed uint64) error {
	p.Stages = p.Warmup
	if err := p.validate(to); err != nil {
		return err
	}
	began := time.Now()
	var bad []evidence.Call
	g := newGenerator(ctx, p, to, seed, 0, func() time.Duration { return time.Since(began) }, func(c evidence.Call) {
		if c.Outcome != evidence.OK {
			bad = append(bad, c)
		}
	})
	if err := g.run(fmt.Sprintf("warm-%x", seed), p.Stages); err != nil {
		return err
	}
	if len(bad) > 0 {
		c := bad[0]
		return fmt.Errorf("%w: %d requests not ok, one of them %s of stage %q: %s %s, status %d",
			ErrWarmUp, len(bad), c.ID, c.Stage, c.Outcome, c.Reason, c.Status)
	}
	return nil
}
