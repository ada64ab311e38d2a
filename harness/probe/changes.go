package probe

import (
	"context"
	"sync"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Look asks a node about itself. Each place in the answer is one question's: where What differs from the last answer, it
// is news. A place that is missing is not known at present, and will be news again. At and Node are filled in.
type Look func(ctx context.Context, e *env.Env, n *env.Node) []evidence.Observation

// Changes looks at every node of the role, each at its own pace, and records what is news, the first answers included. A
// look is cut off after timeout, since a node that is dead or frozen does not answer at all.
func Changes(name, role string, every, timeout time.Duration, look Look) Probe {
	return Probe{
		Name: name,
		Watch: func(ctx context.Context, e *env.Env, rec *evidence.Recorder) error {
			var all sync.WaitGroup
			for _, n := range e.Role(role) {
				var last []evidence.Observation
				all.Go(func() {
					tick(ctx, every, func() {
						one, cancel := context.WithTimeout(ctx, timeout)
						defer cancel()
						if now := look(one, e, n); ctx.Err() == nil {
							recordNews(rec, n.Name, last, now)
							last = now
						}
					})
				})
			}
			all.Wait()
			return nil
		},
	}
}

func recordNews(rec *evidence.Recorder, node string, last, now []evidence.Observation) {
	for i, o := range now {
		if i < len(last) && last[i].What == o.What {
			continue
		}
		o.At, o.Node = rec.Now(), node
		rec.Observation(o)
	}
}
