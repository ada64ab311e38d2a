package fault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// pastGrace is how long after its grace period a node is given before it is killed: enough to tell late from never.
const pastGrace = time.Second

// ends makes what sends s to a node, and heals by bringing the node back.
func ends(s env.Signal) func(context.Context, *env.Env, *env.Node, *rand.Rand) (env.Undo, error) {
	return func(ctx context.Context, e *env.Env, n *env.Node, _ *rand.Rand) (env.Undo, error) {
		return end(ctx, e, n, s, n.Start)
	}
}

// end sends s to the node and heals by starting it with start.
func end(ctx context.Context, e *env.Env, n *env.Node, s env.Signal, start func(context.Context) error) (env.Undo, error) {
	deadline := time.Now().Add(grace(e) + pastGrace)
	undo := func(ctx context.Context) error { return bringBack(ctx, n, deadline, start) }
	return undo, n.Signal(ctx, s) // with an Undo: a signal whose answer got lost may have hit
}

// bringBack waits until the node has ended, kills it if it still runs at deadline, and starts it again. The engine gets a
// moment to answer even when the deadline passed long ago.
func bringBack(ctx context.Context, n *env.Node, deadline time.Time, start func(context.Context) error) error {
	patient, cancel := context.WithTimeout(ctx, max(time.Until(deadline), pastGrace))
	_, err := n.Wait(patient)
	cancel()
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = kill(ctx, n)
	}
	if err != nil {
		return fmt.Errorf("await the end of %s: %w", n.Name, err)
	}
	if err := start(ctx); err != nil {
		return fmt.Errorf("start %s again: %w", n.Name, err)
	}
	return nil
}

// kill ends the node. One that ends by itself just before cannot be signalled any more, and need not be.
func kill(ctx context.Context, n *env.Node) error {
	refused := n.Signal(ctx, env.Kill)
	if refused != nil {
		soon, cancel := context.WithTimeout(ctx, pastGrace)
		defer cancel()
		ctx = soon
	}
	if _, err := n.Wait(ctx); err != nil {
		return cmp.Or(refused, err)
	}
	return nil
}

// grace is how long a node of the system may take from SIGTERM to its end.
func grace(e *env.Env) time.Duration { return e.Params()[evidence.ParamGrace] }
