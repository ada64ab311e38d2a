package probe

import (
	"context"
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Look asks a node about itself, until ctx ends at the latest. Each place in the answer is one question's: where What
// differs from the last answer, it is news. A place that is missing is not known at present, which is recorded once, by
// evidence.SourceBlind, and will be news again. At and Node are filled in.
type Look func(ctx context.Context, e *env.Env, n *env.Node) []evidence.Observation

// Changes looks at every node of the role, each at its own pace, and records what is news, the first answers included. A
// node that is dead or paused does not answer at all, which is known only after askTimeout; the news is then from the
// moment of the next look that was due, the first at which it should have answered before.
func Changes(name, role string, every time.Duration, look Look) Probe {
	return changes{name, []string{role}, every, askTimeout, func() Look { return look }}.probe()
}

// changes describes a probe like that of Changes.
type changes struct {
	name           string
	nodes          []string // names or roles
	every, timeout time.Duration
	newLook        func() Look // makes one for each node, which may remember things
}

func (c changes) probe() Probe {
	return Probe{
		Name: c.name,
		Watch: func(ctx context.Context, e *env.Env, rec *evidence.Recorder) error {
			var all Group
			for _, n := range e.Nodes() {
				if !slices.ContainsFunc(c.nodes, n.Is) {
					continue
				}
				w := &watch{changes: c, env: e, node: n, look: c.newLook(), rec: rec}
				all.Go(func() error {
					tick(ctx, c.every, func() { w.once(ctx) })
					return nil
				})
			}
			return all.Wait()
		},
	}
}

// watch remembers the last answers of one node.
type watch struct {
	changes
	env  *env.Env
	node *env.Node
	look Look
	rec  *evidence.Recorder
	last []evidence.Observation
}

func (w *watch) once(ctx context.Context) {
	asked := w.rec.Now()
	one, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	now := w.look(one, w.env, w.node)
	at := w.rec.Now()
	switch took := at - asked; {
	case ctx.Err() != nil, took > w.timeout+w.every: // the end, or it was the harness itself that stood still
		return
	case took >= w.timeout:
		at = asked + w.every
	}
	for i, o := range now {
		if i < len(w.last) && w.last[i].What == o.What {
			continue
		}
		o.At, o.Node = at, w.node.Name
		evidence.Observations.Put(w.rec, o)
	}
	for _, o := range w.last[min(len(now), len(w.last)):] {
		evidence.Observations.Put(w.rec, evidence.Observation{At: at, Source: evidence.SourceBlind(o.Source), Node: w.node.Name, What: evidence.SawUnknown})
	}
	w.last = now
}
