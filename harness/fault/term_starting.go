package fault

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// saysEnded is how long the engine may take to say that a node has ended: some milliseconds, as a rule.
const saysEnded = 200 * time.Millisecond

// TermStarting is Term for a target that is being started. Another fault of the plan has ended it, or is about to, and is healed after
// the time of this one: this one waits until the target has ended and runs again, and sends SIGTERM that long after.
func TermStarting(t Target, after time.Duration) Fault {
	f := t.at(evidence.FaultTerm, func(ctx context.Context, e *env.Env, n *env.Node, _ *rand.Rand) (env.Undo, error) {
		if err := awaitRestart(ctx, n); err != nil {
			return nil, err
		}
		if err := env.Sleep(ctx, after); err != nil {
			return nil, err
		}
		return end(ctx, e, n, env.Term, n.Start)
	}, terminatedUnready)
	f.Name += " while it starts"
	return f
}

// awaitRestart waits until the node has ended, and then until it runs, for as long as the heal that starts it may take. What still runs
// at first is the process that is about to end.
func awaitRestart(ctx context.Context, n *env.Node) error {
	ctx, cancel := context.WithTimeoutCause(ctx, healWithin, fmt.Errorf("not started within %s", healWithin))
	defer cancel()
	if _, err := n.Wait(ctx); err != nil {
		return fmt.Errorf("await the end of %s: %w", n.Name, err)
	}
	return env.Await(ctx, "the start of "+n.Name, func(ctx context.Context) error { return runs(ctx, n) })
}

// runs is nil if the node runs: of one that has ended, the engine says so at once.
func runs(ctx context.Context, n *env.Node) error {
	short, cancel := context.WithTimeout(ctx, saysEnded)
	defer cancel()
	_, err := n.Wait(short)
	switch {
	case err == nil:
		return env.ErrNotYet
	case ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded): // and not for want of patience
		return nil
	}
	return err
}

// terminatedUnready: what confirms a SIGTERM; the engine's record of an end before the order; and no observer that called the target
// up between the two ends, so that the process that ended had never been ready.
func terminatedUnready(run *evidence.Run, in evidence.Injection) (Times, error) {
	t, err := terminated(run, in)
	if err != nil {
		return t, err
	}
	before, ended := lastExit(run, in.Target, in.Ordered)
	if !ended {
		return Times{Active: t.Active}, fmt.Errorf("%w: the engine recorded no end of %s before it", ErrUnconfirmed, in.Target)
	}
	exit, _ := run.ExitOf(in.Target, in.Ordered)
	if up, saw := run.FirstSaw(in.Target, "", evidence.SawUp, before.At); saw && up.At <= exit.At {
		return Times{Active: t.Active}, fmt.Errorf("%w: %s had called %s up before it ended", ErrUnconfirmed, up.Source, in.Target)
	}
	return t, nil
}

// lastExit finds the last end of the node before a moment.
func lastExit(run *evidence.Run, node string, before time.Duration) (last evidence.Exit, ok bool) {
	for _, e := range evidence.Exits.Each(run) {
		if e.Node == node && e.At < before {
			last, ok = *e, true
		}
	}
	return last, ok
}
