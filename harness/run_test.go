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

// system has two nodes, and must not be started.
type system struct{ t *testing.T }

func (s system) Start(context.Context, *env.Env) error {
	s.t.Error("the system was started")
	return nil
}

func (system) Roster() []env.Spec {
	return []env.Spec{{Name: "gateway-1", Role: "gateway"}, {Name: "redis-1", Role: "redis"}}
}

func scenario(t *testing.T, f fault.Fault) harness.Scenario {
	return harness.Scenario{Name: "s", Claim: "c", System: system{t}, Expect: []check.Check{check.NothingDropped()}, Faults: fault.Plan{{Fault: f}},
		Load: load.Profile{Stages: []load.Stage{{Name: "steady", Shape: load.Constant(1, time.Second)}}}}
}

// TestImpossiblePlansAreRefused before anything starts, with the reason.
func TestImpossiblePlansAreRefused(t *testing.T) {
	cut := fault.Cut(fault.Sides{What: "gateway-1", From: []string{"redis"}})
	for name, c := range map[string]struct {
		fault  fault.Fault
		reason string
	}{
		"no such node":         {fault.Kill("gateway-2"), `fault "kill gateway-2" needs a node "gateway-2"`},
		"no such node, frozen": {fault.Freeze("gateway-2"), `needs a node "gateway-2"`},
		"no such node, ended":  {fault.Term("gateway-2"), `needs a node "gateway-2"`},
		"no such other side":   {fault.Cut(fault.Sides{What: "gateway-1", From: []string{"redis", "postgres"}}), `needs a node "postgres"`},
		"cannot cut":           {cut, `fault "cut gateway-1 from redis" needs partition: not an ability of this driver (plain)`},
		"cannot lose":          {fault.Lose(0.1, fault.Sides{What: "gateway-1", From: []string{"redis"}}), "needs partition"},
		"cannot limit":         {fault.Limit("gateway-1", 0.5), "needs quota"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			_, _, err := harness.Run(t.Context(), scenario(t, c.fault), harness.Options{Driver: plain{}, Dir: dir, Logf: t.Logf})
			if !errors.Is(err, harness.ErrScenario) || !strings.Contains(err.Error(), c.reason) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %s", err, c.reason)
			}
			if _, err := os.Stat(dir); err == nil {
				t.Error("the run left a folder")
			}
		})
	}
}

// TestPossiblePlansAreNot: roles and names that are there are no reason to refuse, nor is a target that is found later.
func TestPossiblePlansAreNot(t *testing.T) {
	find := func(context.Context, *env.Env) (*env.Node, error) { return nil, env.ErrNoNode }
	for _, f := range []fault.Fault{fault.Kill("gateway-1"), fault.KillFound("leader", find),
		fault.Cut(fault.Sides{What: "leader", Find: find, From: []string{"redis"}}), fault.Cut(fault.Sides{What: "gateway-1", From: []string{"redis-1"}})} {
		if err := scenario(t, f).Validate(); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
}
