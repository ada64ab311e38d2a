package env_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
)

func (driver) Name() string { return "plain" }

// cutter is a driver that can cut and not limit.
type cutter struct{ driver }

func (cutter) Partition(context.Context, []env.Path, float64) (env.Undo, error) {
	return nil, errRefused
}

// limiter is a driver that can limit and not cut.
type limiter struct{ driver }

func (limiter) LimitCPU(context.Context, *env.Node, float64) (env.Undo, error) {
	return nil, errRefused
}
func (limiter) Throttled(context.Context, *env.Node) (time.Duration, error) { return time.Second, nil }

// slower is a driver that can delay.
type slower struct{ driver }

func (slower) Delay(context.Context, *env.Node, env.Delay) (env.Undo, error) {
	return nil, errRefused
}

// resetter is a driver that can reset connections.
type resetter struct{ driver }

func (resetter) Reset(context.Context, *env.Node, []*env.Node) (env.Undo, error) {
	return nil, errRefused
}

// replacer is a driver that can replace a node's program.
type replacer struct{ driver }

func (replacer) Replace(context.Context, *env.Node, env.Program) error { return errRefused }
func (replacer) Build(context.Context, *env.Node) (string, error)      { return "build-1", nil }

// accountant is a driver that asks the kernel.
type accountant struct{ driver }

func (accountant) Account(context.Context, *env.Node) (env.Account, error) {
	return env.Account{}, errRefused
}

// spender is a driver that knows what its run uses.
type spender struct{ driver }

func (spender) CPUTime(context.Context) (time.Duration, error) { return time.Second, nil }

func TestAbilities(t *testing.T) {
	for _, c := range []struct {
		driver env.Driver
		needs  []env.Ability
		lacks  string // empty for none
	}{
		{driver{}, nil, ""},
		{driver{}, []env.Ability{env.Partition}, "partition"},
		{cutter{}, []env.Ability{env.Partition}, ""},
		{cutter{}, []env.Ability{env.Partition, env.CPUQuota}, "cpu-quota"},
		{limiter{}, []env.Ability{env.CPUQuota}, ""},
		{limiter{}, []env.Ability{env.Partition}, "partition"},
		{slower{}, []env.Ability{env.Latency}, ""},
		{driver{}, []env.Ability{env.Latency}, "latency"},
		{resetter{}, []env.Ability{env.Reset}, ""},
		{cutter{}, []env.Ability{env.Reset}, "reset"},
		{replacer{}, []env.Ability{env.Upgrade}, ""},
		{slower{}, []env.Ability{env.Upgrade}, "upgrade"},
		{accountant{}, []env.Ability{env.Accounts}, ""},
		{slower{}, []env.Ability{env.Accounts}, "accounts"},
		{spender{}, []env.Ability{env.CPUTime}, ""},
		{accountant{}, []env.Ability{env.CPUTime}, "cpu-time"},
	} {
		err := env.Able(c.driver, c.needs...)
		switch {
		case c.lacks == "" && err != nil:
			t.Errorf("%T, %v: %v", c.driver, c.needs, err)
		case c.lacks != "" && (!errors.Is(err, env.ErrUnable) || !strings.Contains(err.Error(), c.lacks) || !strings.Contains(err.Error(), "plain")):
			t.Errorf("%T, %v: got %v, want the lack of %s", c.driver, c.needs, err, c.lacks)
		}
	}
}

// TestUse: the error names the ability as a plan does, not its type.
func TestUse(t *testing.T) {
	of := func(d env.Driver) *env.Env { return env.New(d, 1, t.Logf) }
	const want = "partition: not an ability of this driver (plain): choose another driver"
	if _, err := env.Partition.Use(of(driver{})); !errors.Is(err, env.ErrUnable) || err.Error() != want {
		t.Errorf("a driver that cannot: %v, want %s", err, want)
	}
	if l, err := env.CPUQuota.Use(of(limiter{})); err != nil || l != (limiter{}) {
		t.Errorf("%v, %v", l, err)
	}
}
