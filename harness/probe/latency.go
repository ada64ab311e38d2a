package probe

import (
	"context"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Latency asks the nodes of a role and records, under the name of the probe as the source, whether they take slow or longer to
// answer. Of a node that does not answer at all, that is not known.
func Latency(name, role string, every, slow time.Duration, ask func(context.Context, *env.Env, *env.Node) error) Probe {
	return Changes(name, role, every, func(ctx context.Context, e *env.Env, n *env.Node) []evidence.Observation {
		asked := time.Now()
		if err := ask(ctx, e, n); err != nil {
			return nil
		}
		o := evidence.Observation{Source: name, What: evidence.SawPrompt}
		if time.Since(asked) >= slow {
			o.What = evidence.SawSlow
		}
		return []evidence.Observation{o}
	})
}
