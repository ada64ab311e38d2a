package probe

import (
	"context"
	"fmt"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// awaitRestart is how often a node that ended is looked at again. A start and another end within that time would be
// missed: it is shorter than any start.
const awaitRestart = 100 * time.Millisecond

// Exits records every end of every node's main process, with the engine's own time and exit code.
func Exits() Probe {
	return Probe{
		Name: evidence.ProbeExits,
		Watch: func(ctx context.Context, e *env.Env, rec *evidence.Recorder) error {
			var g Group
			for _, n := range e.Nodes() {
				g.Go(func() error { return watchExits(ctx, n, rec) })
			}
			return g.Wait()
		},
	}
}

// watchExits waits for ends of one node. Wait answers at once while the node is down; the engine's time reports whether it
// is the end that was recorded already.
func watchExits(ctx context.Context, n *env.Node, rec *evidence.Recorder) error {
	again := time.NewTicker(awaitRestart)
	defer again.Stop()
	var last time.Time
	for {
		exit, err := n.Wait(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("await the end of %s: %w", n.Name, err)
		}
		if !exit.At.Equal(last) {
			last = exit.At
			evidence.Exits.Put(rec, evidence.Exit{Node: n.Name, At: rec.Since(exit.At), Code: exit.Code})
		}
		select {
		case <-ctx.Done():
			return nil
		case <-again.C:
		}
	}
}
