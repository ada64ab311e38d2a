package fault

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// TermTwice is Term with a second SIGTERM that long after the first, while the target is ending.
func TermTwice(t Target, apart time.Duration) Fault {
	f := t.at(evidence.FaultTerm, func(ctx context.Context, e *env.Env, n *env.Node, _ *rand.Rand) (env.Undo, error) {
		undo, err := end(ctx, e, n, env.Term, n.Start)
		if err != nil {
			return undo, err
		}
		if err := env.Sleep(ctx, apart); err != nil {
			return undo, err
		}
		return undo, n.Signal(ctx, env.Term)
	}, terminatedTwice(apart))
	f.Name += " twice"
	return f
}

// terminatedTwice: what confirms a SIGTERM, and an end that the engine recorded no sooner than the second one was due. One that
// was sent to a node that had ended is an error of the injector.
func terminatedTwice(apart time.Duration) Confirm {
	return func(run *evidence.Run, in evidence.Injection) (Times, error) {
		t, err := terminated(run, in)
		if err != nil {
			return t, err
		}
		if exit, _ := run.ExitOf(in.Target, in.Ordered); exit.At < in.Ordered+apart {
			return Times{Active: t.Active}, fmt.Errorf("%w: %s ended before the second SIGTERM was due", ErrUnconfirmed, in.Target)
		}
		return t, nil
	}
}
