package fault

import (
	"context"
	"fmt"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// TermStarting is Term for a target that is being started. Another fault of the plan has ended it, or is about to, and is healed after
// the time of this one: this one waits until the target was started again, and sends SIGTERM that long after.
func TermStarting(t Target, after time.Duration) Fault {
	f := t.at(evidence.FaultTerm, ends(env.Term), terminatedUnready)
	f.Name += " while it starts"
	f.Await = func(ctx context.Context, e *env.Env) error {
		n, err := t.Find(ctx, e)
		if err != nil {
			return err
		}
		if err := awaitRestart(ctx, n); err != nil {
			return err
		}
		return env.Sleep(ctx, after)
	}
	return f
}

// awaitRestart waits until the node is started again, for as long as the heal that does so may take. By then its process runs: until it
// does, a container's first process would not even notice SIGTERM.
func awaitRestart(ctx context.Context, n *env.Node) error {
	ctx, cancel := context.WithTimeoutCause(ctx, healWithin, fmt.Errorf("not started within %s", healWithin))
	defer cancel()
	before := n.Starts()
	return env.Await(ctx, "the start of "+n.Name, func(context.Context) error {
		if n.Starts() == before {
			return env.ErrNotYet
		}
		return nil
	})
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
