package probe_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/internal/panics"
	"github.com/sentinel-chaos/sentinel/harness/probe"
)

// hollow is a process that panics whatever it is asked, since it has no methods.
type hollow struct{ env.Proc }

// bottomless is a driver that panics when it is asked about the kernel's account.
type bottomless struct{ scriptDriver }

func (bottomless) LimitCPU(context.Context, *env.Node, float64) (env.Undo, error) { return nil, nil }
func (bottomless) Throttled(context.Context, *env.Node) (time.Duration, error)    { panic("no account") }

// TestPanicsAreErrors: each probe looks at its nodes side by side, where a panic would end the process.
func TestPanicsAreErrors(t *testing.T) {
	for _, p := range []probe.Probe{
		probe.Exits(),
		probe.Ready("app", 1, "/ready", time.Second),
		probe.Metrics(probe.Scrape{Role: "app", Port: 1, Every: time.Second, Keep: func(string) bool { return true }}),
		probe.Changes("changes", "app", time.Second, func(context.Context, *env.Env, *env.Node) []evidence.Observation { panic("no news") }),
		probe.Reach([]string{"other-1"}, []string{"app"}),
		probe.Throttling("app"),
	} {
		t.Run(p.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := env.New(bottomless{scriptDriver{procs: map[string]env.Proc{"app-1": hollow{}, "other-1": hollow{}}}}, 1, t.Logf)
				for name, role := range map[string]string{"app-1": "app", "other-1": "other"} {
					if _, err := e.Launch(t.Context(), env.Spec{Name: name, Role: role}); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := watch(t, p, e, func() { time.Sleep(3 * time.Second) }); !errors.Is(err, panics.ErrPanic) {
					t.Errorf("%v", err)
				}
			})
		})
	}
}
