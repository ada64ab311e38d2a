package probe

import (
	"context"
	"net/http"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Ready asks every node of the role for path, past any load balancer, and records when it begins to answer 200 and when
// it ceases to. The first answer counts as a change.
func Ready(role string, port int, path string, every time.Duration) Probe {
	return readyOver(dial, role, port, path, every)
}

func readyOver(dial dialer, role string, port int, path string, every time.Duration) Probe {
	return Probe{
		Name: "ready " + role,
		Watch: func(ctx context.Context, e *env.Env, rec *evidence.Recorder) error {
			return pollAll(ctx, dial, e.Role(role), port, every, func(n *env.Node) func(context.Context, *asker) {
				last := ""
				return func(ctx context.Context, a *asker) {
					what, detail := readiness(ctx, a, path)
					if what == last || ctx.Err() != nil {
						return
					}
					last = what
					evidence.Observations.Put(rec, evidence.Observation{At: rec.Now(), Source: evidence.SourceReady, Node: n.Name, What: what, Detail: detail})
				}
			})
		},
	}
}

func readiness(ctx context.Context, a *asker, path string) (what, detail string) {
	status, err := a.get(ctx, path, nil)
	switch {
	case err != nil:
		return evidence.SawDown, err.Error()
	case status != http.StatusOK:
		return evidence.SawDown, statusDetail(status)
	}
	return evidence.SawUp, statusDetail(status)
}
