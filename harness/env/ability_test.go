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

func (cutter) Cut(context.Context, []env.Path, float64) (env.Undo, error) { return nil, errRefused }

// limiter is a driver that can limit and not cut.
type limiter struct{ driver }

func (limiter) Limit(context.Context, *env.Node, float64) (env.Undo, error) { return nil, errRefused }
func (limiter) Throttled(context.Context, *env.Node) (time.Duration, error) { return time.Second, nil }

// slower is a driver that can delay.
type slower struct{ driver }

func (slower) Slow(context.Context, *env.Node, env.Slowness) (env.Undo, error) {
	return nil, errRefused
}

// replacer is a driver that can replace a node's program.
type replacer struct{ driver }

func (replacer) Replace(context.Context, *env.Node, env.Program) error { return errRefused }
func (replacer) Build(context.Context, *env.Node) (string, error)      { return "build-1", nil }

func TestAbilities(t *testing.T) {
	for _, c := range []struct {
		driver env.Driver
		needs  []env.Capability
		lacks  env.Capability // empty for none
	}{
		{driver{}, nil, ""},
		{driver{}, []env.Capability{env.Partition}, env.Partition},
		{cutter{}, []env.Capability{env.Partition}, ""},
		{cutter{}, []env.Capability{env.Partition, env.Quota}, env.Quota},
		{limiter{}, []env.Capability{env.Quota}, ""},
		{limiter{}, []env.Capability{env.Partition}, env.Partition},
		{slower{}, []env.Capability{env.Delay}, ""},
		{driver{}, []env.Capability{env.Delay}, env.Delay},
		{replacer{}, []env.Capability{env.Upgrade}, ""},
		{slower{}, []env.Capability{env.Upgrade}, env.Upgrade},
		{limiter{}, []env.Capability{"flight"}, "flight"},
	} {
		err := env.Able(c.driver, c.needs...)
		switch {
		case c.lacks == "" && err != nil:
			t.Errorf("%T, %v: %v", c.driver, c.needs, err)
		case c.lacks != "" && (!errors.Is(err, env.ErrUnable) || !strings.Contains(err.Error(), string(c.lacks)) || !strings.Contains(err.Error(), "plain")):
			t.Errorf("%T, %v: got %v, want the lack of %s", c.driver, c.needs, err, c.lacks)
		}
	}
}

func TestAnEnvHasItsDriversAbilities(t *testing.T) {
	of := func(d env.Driver) *env.Env { return env.New(d, 1, t.Logf) }
	_, cut := of(driver{}).Cut(t.Context(), nil, 1)
	_, limited := of(driver{}).Limit(t.Context(), nil, 1)
	_, read := of(driver{}).Throttled(t.Context(), nil)
	_, slowed := of(driver{}).Slow(t.Context(), nil, env.Slowness{})
	replaced := of(driver{}).Replace(t.Context(), nil, env.Program{})
	_, named := of(driver{}).Build(t.Context(), nil)
	for _, err := range []error{cut, limited, read, slowed, replaced, named} {
		if !errors.Is(err, env.ErrUnable) {
			t.Errorf("a driver that cannot: %v", err)
		}
	}
	_, cut = of(cutter{}).Cut(t.Context(), nil, 1)
	_, limited = of(limiter{}).Limit(t.Context(), nil, 1)
	_, slowed = of(slower{}).Slow(t.Context(), nil, env.Slowness{})
	replaced = of(replacer{}).Replace(t.Context(), nil, env.Program{})
	for _, err := range []error{cut, limited, slowed, replaced} {
		if !errors.Is(err, errRefused) {
			t.Errorf("not passed on: %v", err)
		}
	}
	if build, err := of(replacer{}).Build(t.Context(), nil); build != "build-1" || err != nil {
		t.Errorf("%s, %v", build, err)
	}
	if d, err := of(limiter{}).Throttled(t.Context(), nil); d != time.Second || err != nil {
		t.Errorf("%s, %v", d, err)
	}
}
