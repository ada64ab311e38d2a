package harness_test

import (
	"context"
	"errors"
	"math/rand/v2"
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

func (throttler) LimitCPU(context.Context, *env.Node, float64) (env.Undo, error) {
	return nil, env.ErrUnable
}

func (throttler) Throttled(context.Context, *env.Node) (time.Duration, error) {
	return 0, env.ErrUnable
}

// system has two nodes and may need abilities, and must not be started.
type system struct {
	t     *testing.T
	needs []env.Ability
}

func (s system) Start(context.Context, *env.Env) error {
	s.t.Error("the system was started")
	return nil
}

func (system) Roster() []env.Spec {
	return []env.Spec{{Name: "app-1", Role: "app"}, {Name: "store-1", Role: "store"}}
}

func (s system) Needs() []env.Ability { return s.needs }

func scenario(t *testing.T, f fault.Fault, needs ...env.Ability) harness.Scenario {
	return harness.Scenario{Name: "s", Claim: "c", System: system{t, needs}, Expect: []check.Check{check.NothingDropped()}, Faults: fault.Plan{{Fault: f}},
		Load: load.Profile{Timeout: time.Second, Stages: []load.Stage{{Name: "steady", Shape: load.Constant(1, time.Second),
			Request: func(uint64, *rand.Rand) load.Request { return load.Request{} }}}}}
}

// TestImpossiblePlansAreRefused before anything starts, with the reason.
func TestImpossiblePlansAreRefused(t *testing.T) {
	cut := partition("store")
	kill, quota := fault.Kill(fault.Node("app-1")), []env.Ability{env.CPUQuota}
	for name, c := range map[string]struct {
		fault  fault.Fault
		needs  []env.Ability // of the system
		driver env.Driver
		reason string
	}{
		"no such node":         {fault.Kill(fault.Node("app-2")), nil, plain{}, `fault "kill app-2" needs a node "app-2"`},
		"no such node, paused": {fault.Pause(fault.Node("app-2")), nil, plain{}, `needs a node "app-2"`},
		"no such node, ended":  {fault.Term(fault.Node("app-2")), nil, plain{}, `needs a node "app-2"`},
		"no such other side":   {partition("store", "cache"), nil, plain{}, `needs a node "cache"`},
		"cannot partition":     {cut, nil, plain{}, `fault "partition app-1 from store" needs partition: not an ability of this driver (plain)`},
		"cannot lose":          {fault.PacketLoss(0.1, fault.Cut{Target: fault.Node("app-1"), Peers: []string{"store"}}), nil, plain{}, "needs partition"},
		"cannot reset":         {fault.Reset(fault.Resets{Target: fault.Node("app-1"), Peers: []string{"store"}}), nil, plain{}, "needs reset"},
		"no such peer":         {fault.Reset(fault.Resets{Target: fault.Node("app-1"), Peers: []string{"cache"}}), nil, plain{}, `needs a node "cache"`},
		"cannot be confirmed":  {fault.Fault{Name: "magic", Inject: kill.Inject}, nil, plain{}, `fault "magic" lacks what injects it, or what confirms it`},
		"cannot be injected":   {fault.Fault{Name: "magic", Confirm: kill.Confirm}, nil, plain{}, `fault "magic" lacks`},
		"cannot limit":         {fault.CPUQuota(fault.Node("app-1"), 0.5), nil, plain{}, "needs cpu-quota"},
		"cannot hold the system": {kill, quota, plain{},
			`unfit scenario "s": the system needs cpu-quota: not an ability of this driver (plain): choose another driver`},
		"cannot do all that the system needs": {kill, []env.Ability{env.CPUQuota, env.Latency}, throttler{}, "the system needs latency"},
		"cannot do what the fault needs":      {cut, quota, throttler{}, `fault "partition app-1 from store" needs partition`},
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

// TestUnfitLoadIsRefused before anything starts.
func TestUnfitLoadIsRefused(t *testing.T) {
	s := scenario(t, fault.Kill(fault.Node("app-1")))
	s.Load.Timeout = 0
	_, _, err := harness.Run(t.Context(), s, harness.Options{Driver: plain{}, Dir: filepath.Join(t.TempDir(), "run"), Logf: t.Logf})
	if !errors.Is(err, harness.ErrScenario) || err.Error() != `unfit scenario "s": unfit load: Timeout is 0s: say how long clients wait` {
		t.Error(err)
	}
}

// TestPossiblePlansAreNot: roles, names and abilities that are there are no reason to refuse, nor is a target that is found later.
func TestPossiblePlansAreNot(t *testing.T) {
	leader := fault.Target{Name: "leader", Nodes: []string{"store"}, Find: func(context.Context, *env.Env) (*env.Node, error) { return nil, errors.New("no leader yet") }}
	for _, f := range []fault.Fault{fault.Kill(fault.Node("app-1")), fault.Kill(leader),
		fault.Partition(fault.Cut{Target: leader, Peers: []string{"store"}}), partition("store-1")} {
		if err := scenario(t, f).Validate(); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
	if err := scenario(t, fault.CPUQuota(fault.Node("app-1"), 0.5), env.CPUQuota).Fits(throttler{}); err != nil {
		t.Error(err)
	}
}

func partition(peers ...string) fault.Fault {
	return fault.Partition(fault.Cut{Target: fault.Node("app-1"), Peers: peers})
}
