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

// Run sends the stages of a profile and records every planned request once its outcome is known. That includes requests that
// were never sent because ctx ended first. onRequest hears of each record, one at a time; it may be nil.
//
// start is the moment at which the load begins, by the recorder's clock. It should lie a little ahead, so that the first
// requests can be made ready. The end of ctx is part of the evidence, not an error. A panic of the profile's functions is an
// error.
func Run(ctx context.Context, p Profile, to Target, seed uint64, start time.Duration, rec *evidence.Recorder, onRequest func(evidence.Request)) error {
	g, err := newGenerator(ctx, p, to, seed)
	if err != nil {
		return err
	}
	g.clock, g.rec, g.onRequest = clock{now: rec.Now, start: start}, rec, onRequest
	return g.run()
}

// WarmUp sends the warm-up of a profile and returns an error unless every request of it was answered ok. Its requests are
// not part of the plan and leave no record.
func WarmUp(ctx context.Context, p Profile, to Target, seed uint64) error {
	p.Stages = p.Warmup
	g, err := newGenerator(ctx, p, to, seed)
	if err != nil {
		return err
	}
	var bad []evidence.Request
	g.idPrefix = evidence.WarmupPrefix + g.idPrefix
	g.onRequest = func(r evidence.Request) {
		if r.Outcome != evidence.OK {
			bad = append(bad, r)
		}
	}
	began := time.Now()
	g.clock = clock{now: func() time.Duration { return time.Since(began) }}
	if err := g.run(); err != nil {
		return err
	}
	if len(bad) > 0 {
		r := bad[0]
		return fmt.Errorf("%w: %d requests not ok, among them %s of stage %q: %s %s, status %d",
			ErrWarmUp, len(bad), r.ID, r.Stage, r.Outcome, r.Reason, r.Status)
	}
	return nil
}
