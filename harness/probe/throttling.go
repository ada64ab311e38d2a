package probe

import (
	"context"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/guard"
)

const (
	// throttlingEvery is how often the kernel's account is read: Docker's engine does so once a second itself.
	throttlingEvery = time.Second
	// throttlingTimeout bounds one reading.
	throttlingTimeout = 3 * throttlingEvery
)

// Throttling records whether the kernel has kept the nodes of a role from the CPU since it was last asked. Where the driver
// cannot tell, nothing is recorded.
func Throttling(role string) Probe {
	return Probe{Name: "throttling", Watch: func(ctx context.Context, e *env.Env, rec *evidence.Recorder) error {
		var all guard.Group
		for _, n := range e.Role(role) {
			a := account{node: n, env: e, rec: rec}
			all.Go(func() error {
				tick(ctx, throttlingEvery, func() { a.read(ctx) })
				return nil
			})
		}
		return all.Wait()
	}}
}

// account is what is known of one node.
type account struct {
	node  *env.Node
	env   *env.Env
	rec   *evidence.Recorder
	total time.Duration
	last  string // what was recorded last
}

func (a *account) read(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, throttlingTimeout)
	defer cancel()
	total, err := a.env.Throttled(ctx, a.node)
	if err != nil {
		a.last = "" // it may be down; what is seen next is news
		return
	}
	what := evidence.SawFree
	if total > a.total {
		what = evidence.SawThrottled
	}
	if a.total = total; what == a.last {
		return
	}
	a.last = what
	a.rec.Observation(evidence.Observation{At: a.rec.Now(), Source: evidence.SourceThrottling, Node: a.node.Name, What: what})
}
