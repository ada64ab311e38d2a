package probe

import (
	"context"
	"strings"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

const (
	// throttlingEvery is how often the kernel's account is read: engines of containers read it once a second themselves.
	throttlingEvery = time.Second
	// throttlingTimeout bounds one reading.
	throttlingTimeout = 3 * throttlingEvery
)

// Throttling records whether the kernel has kept the nodes of those names or roles from the CPU since it was last asked. Where the
// driver cannot tell, nothing is recorded.
func Throttling(nodes ...string) Probe {
	return changes{"throttling " + strings.Join(nodes, ", "), nodes, throttlingEvery, throttlingTimeout, func() Look {
		var total time.Duration
		return func(ctx context.Context, e *env.Env, n *env.Node) []evidence.Observation {
			driver, err := env.CPUQuota.Use(e)
			if err != nil {
				return nil
			}
			now, err := driver.Throttled(ctx, n)
			if err != nil {
				return nil // it may be down; what is seen next is news
			}
			what := evidence.SawFree
			if now > total {
				what = evidence.SawThrottled
			}
			total = now
			return []evidence.Observation{{Source: evidence.SourceThrottling, What: what}}
		}
	}}.probe()
}
