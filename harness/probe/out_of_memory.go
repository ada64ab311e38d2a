package probe

import (
	"context"
	"strings"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// outOfMemoryEvery is how often the engine is asked: what it says of a node that has ended holds until the node is started again.
const outOfMemoryEvery = 500 * time.Millisecond

// OutOfMemory records whether the kernel has killed a process of the nodes of those names or roles for want of memory since they were
// last started. Where the driver cannot tell, nothing is recorded.
func OutOfMemory(nodes ...string) Probe {
	return changes{"out of memory " + strings.Join(nodes, ", "), nodes, outOfMemoryEvery, askTimeout, func() Look {
		return func(ctx context.Context, e *env.Env, n *env.Node) []evidence.Observation {
			driver, err := env.MemoryLimit.Use(e)
			if err != nil {
				return nil
			}
			starved, err := driver.OutOfMemory(ctx, n)
			if err != nil {
				return nil
			}
			what := evidence.SawFed
			if starved {
				what = evidence.SawStarved
			}
			return []evidence.Observation{{Source: evidence.SourceMemory, What: what}}
		}
	}}.probe()
}
