package probe

import (
	"context"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/guard"
)

// Look asks a node about itself, until ctx ends at the latest. Each place in the answer is one question's: where What
// differs from the last answer, it is news. A place that is missing is not known at present, and will be news again. At and
// Node are filled in.
type Look func(ctx context.Context, e *env.Env, n *env.Node) []evidence.Observation

// Changes looks at every node of the role, each at its own pace, and records what is news, the first answers included. A
// node that is dead or frozen does not answer at all, which is known only after askTimeout; the news is then from the
// moment of the next look that was due, the first at which it should have answered before.
func Changes(name, role string, every time.Duration, look Look) Probe {
	return Probe{
		Name: name,
		Watch: func(ctx context.Context, e *env.Env, rec *evidence.Recorder) error {
			var all guard.Group
			for _, n := range e.Role(role) {
				w := &watch{env: e, node: n, every: every, look: look, rec: rec}
				all.Go(func() error {
					tick(ctx, every, func() { w.once(ctx) })
					return nil
				})
			}
			return all.Wait()
		},
	}
}

// watch remembers the last answers of one node.
type watch struct {
	env   *env.Env
	node  *env.Node
	every time.Duration
	look  Look
	rec   *evidence.Recorder
	last  []evidence.Observation
}

func (w *watch) once(ctx context.Context) {
	asked := w.rec.Now()
	one, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	now := w.look(one, w.env, w.node)
	at := w.rec.Now()
	switch took := at - asked; {
	case ctx.Err() != nil, took > askTimeout+w.every: // the end, or it was the harness itself that stood still
		return
	case took >= askTimeout:
		at = asked + w.every
	}
	for i, o := range now {
		if i < len(w.last) && w.last[i].What == o.What {
			continue
		}
		o.At, o.Node = at, w.node.Name
		w.rec.Observation(o)
	}
	w.last = now
}
