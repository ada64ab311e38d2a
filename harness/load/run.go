package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// ErrWarmUp says that the warm-up was not gone through.
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

// WarmUp sends the warm-up of a profile, by a clock that counts from the run's epoch. Its requests are not part of the plan and leave
// no record. It returns those that were refused, answered wrongly or dropped, beside an error, too.
//
// ErrWarmUp says that it was not gone through: ctx ended first, this machine could not send, or nobody listened at all. What nobody
// listened to is not returned. ErrProfile says that the profile is unfit.
func WarmUp(ctx context.Context, p Profile, to Target, seed uint64, now func() time.Duration) (notOK []evidence.Request, err error) {
	p.Stages = p.Warmup
	g, err := newGenerator(ctx, p, to, seed)
	if err != nil {
		return nil, err
	}
	var w warmUp
	g.idPrefix = evidence.WarmupPrefix + g.idPrefix
	g.clock = clock{now: now, start: now()}
	g.onRequest = w.add
	if err = g.run(); err == nil {
		err = w.gap(ctx)
	}
	if w.conns == 0 {
		return nil, err
	}
	return w.notOK, err
}

// warmUp is what became of the requests of a warm-up.
type warmUp struct {
	notOK  []evidence.Request // refused, answered wrongly or dropped
	unsent int                // or not followed to their end
	conns  int                // that carried requests
}

func (w *warmUp) add(r evidence.Request) {
	w.conns += int(r.Conns)
	switch {
	case r.Outcome == evidence.Unsent, r.Reason == evidence.ReasonCancelled:
		w.unsent++
	case r.Outcome == evidence.Failed, r.Outcome == evidence.Ambiguous, r.Outcome == evidence.Refused:
		w.notOK = append(w.notOK, r)
	}
}

// gap is why the service was not asked all of it; nil if it was.
func (w *warmUp) gap(ctx context.Context) error {
	switch {
	case w.unsent > 0 && ctx.Err() != nil:
		return fmt.Errorf("%w: %w", ErrWarmUp, context.Cause(ctx))
	case w.unsent > 0:
		return fmt.Errorf("%w: %d requests could not be sent", ErrWarmUp, w.unsent)
	case w.conns == 0 && len(w.notOK) > 0:
		return fmt.Errorf("%w: nobody listens: no connection could be opened for any of %d requests", ErrWarmUp, len(w.notOK))
	}
	return nil
}
