package harness_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/fault"
	"github.com/sentinel-chaos/sentinel/harness/load"
)

// plain is a driver without abilities; any use of it fails the test.
type plain struct{ env.Driver }

func (plain) Name() string { return "plain" }

// throttler is a driver that can limit, and nothing else.
type throttler struct{ plain }

func (throttler) Limit(context.Context, *env.Node, float64) (env.Undo, error) {
	return nil, env.ErrUnable
}

func (throttler) Throttled(context.Context, *env.Node) (time.Duration, error) {
	return 0, env.ErrUnable
}

// system has two nodes and may need abilities, and must not be started.
type system struct {
	t     *testing.T
	needs []env.Capability
}

func (s system) Start(context.Context, *env.Env) error {
	s.t.Error("the system was started")
	return nil
}

func (system) Roster() []env.Spec {
	return []env.Spec{{Name: "gateway-1", Role: "gateway"}, {Name: "redis-1", Role: "redis"}}
}

func (s system) Needs() []env.Capability { return s.needs }

func scenario(t *testing.T, f fault.Fault, needs ...env.Capability) harness.Scenario {
	return harness.Scenario{Name: "s", Claim: "c", System: system{t, needs}, Expect: []check.Check{check.NothingDropped()}, Faults: fault.Plan{{Fault: f}},
		Load: load.Profile{Stages: []load.Stage{{Name: "steady", Shape: load.Constant(1, time.Second)}}}}
}

// TestImpossiblePlansAreRefused before anything starts, with the reason.
func TestImpossiblePlansAreRefused(t *testing.T) {
	cut := fault.Cut(fault.Sides{What: "gateway-1", From: []string{"redis"}})
	kill, quota := fault.Kill("gateway-1"), []env.Capability{env.Quota}
	for name, c := range map[string]struct {
		fault  fault.Fault
		needs  []env.Capability // of the system
		driver env.Driver
		reason string
	}{
		"no such node":         {fault.Kill("gateway-2"), nil, plain{}, `fault "kill gateway-2" needs a node "gateway-2"`},
		"no such node, frozen": {fault.Freeze("gateway-2"), nil, plain{}, `needs a node "gateway-2"`},
		"no such node, ended":  {fault.Term("gateway-2"), nil, plain{}, `needs a node "gateway-2"`},
		"no such other side":   {fault.Cut(fault.Sides{What: "gateway-1", From: []string{"redis", "postgres"}}), nil, plain{}, `needs a node "postgres"`},
		"cannot cut":           {cut, nil, plain{}, `fault "cut gateway-1 from redis" needs partition: not an ability of this driver (plain)`},
		"cannot lose":          {fault.Lose(0.1, fault.Sides{What: "gateway-1", From: []string{"redis"}}), nil, plain{}, "needs partition"},
		"cannot limit":         {fault.Limit("gateway-1", 0.5), nil, plain{}, "needs quota"},
		"cannot hold the system": {kill, quota, plain{},
			`unfit scenario "s": the system needs quota: not an ability of this driver (plain): choose another driver`},
		"cannot do all that the system needs": {kill, []env.Capability{env.Quota, env.Delay}, throttler{}, "the system needs delay"},
		"cannot do what the fault needs":      {cut, quota, throttler{}, `fault "cut gateway-1 from redis" needs partition`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			_, _, err := harness.Run(t.Context(), scenario(t, c.fault, c.needs...), harness.Options{Driver: c.driver, Dir: dir, Logf: t.Logf})
			if !errors.Is(err, harness.ErrScenario) || !strings.Contains(err.Error(), c.reason) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %s", err, c.reason)
			}
			if _, err := os.Stat(dir); err == nil {
				t.Error("the run left a folder")
			}
		})
	}
}

// TestPossiblePlansAreNot: roles, names and abilities that are there are no reason to refuse, nor is a target that is found later.
func TestPossiblePlansAreNot(t *testing.T) {
	find := func(context.Context, *env.Env) (*env.Node, error) { return nil, env.ErrNoNode }
	for _, f := range []fault.Fault{fault.Kill("gateway-1"), fault.KillFound("leader", find),
		fault.Cut(fault.Sides{What: "leader", Find: find, From: []string{"redis"}}), fault.Cut(fault.Sides{What: "gateway-1", From: []string{"redis-1"}})} {
		if err := scenario(t, f).Validate(); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
	if err := scenario(t, fault.Limit("gateway-1", 0.5), env.Quota).Fits(throttler{}); err != nil {
		t.Error(err)
	}
}
