package probe

import (
	"context"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Builds records what the nodes of a role run: the build that each was started from, by the engine's account, and the
// version that it tells of itself when it is asked.
func Builds(role string, every time.Duration, ask func(context.Context, *env.Node) (version string, err error)) Probe {
	return Changes("builds of "+role, role, every, func(ctx context.Context, e *env.Env, n *env.Node) []evidence.Observation {
		driver, err := env.Upgrade.Use(e)
		if err != nil {
			return nil
		}
		build, err := driver.Build(ctx, n)
		if err != nil {
			return nil
		}
		seen := []evidence.Observation{{Source: evidence.SourceBuild, What: build}}
		if version, err := ask(ctx, n); err == nil {
			seen = append(seen, evidence.Observation{Source: evidence.SourceVersion, What: version})
		}
		return seen
	})
}
