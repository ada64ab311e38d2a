package probe_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/probe"
)

// replaced is a driver that has replaced a node's build after a second.
type replaced struct {
	driver
	began time.Time
}

func (replaced) Name() string { return "able" }

func (replaced) Replace(context.Context, *env.Node, env.Program) error { return nil }

func (r replaced) Build(context.Context, *env.Node) (string, error) {
	if time.Since(r.began) < time.Second {
		return "image-1", nil
	}
	return "image-2", nil
}

// TestBuilds: a node that is replaced after a second answers again after two.
func TestBuilds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		ask := func(context.Context, *env.Node) (string, error) {
			switch at := time.Since(began); {
			case at < 700*time.Millisecond:
				return "old", nil
			case at < 2*time.Second:
				return "", errors.New("down")
			}
			return "next", nil
		}
		e := env.New(replaced{driver{procs: map[string]*proc{"x-1": newProc("")}}, began}, 1, t.Logf)
		if _, err := e.Launch(t.Context(), env.Spec{Name: "x-1", Role: "x"}); err != nil {
			t.Fatal(err)
		}
		run, err := watch(t, probe.Builds("x", 250*time.Millisecond, ask), e, func() { time.Sleep(3 * time.Second) })
		if err != nil {
			t.Fatal(err)
		}
		want := []evidence.Observation{
			{At: 0, Source: evidence.SourceBuild, Node: "x-1", What: "image-1"},
			{At: 0, Source: evidence.SourceVersion, Node: "x-1", What: "old"},
			{At: 750 * time.Millisecond, Source: evidence.SourceBlind(evidence.SourceVersion), Node: "x-1", What: evidence.SawUnknown},
			{At: time.Second, Source: evidence.SourceBuild, Node: "x-1", What: "image-2"},
			{At: 2 * time.Second, Source: evidence.SourceVersion, Node: "x-1", What: "next"},
		}
		if got := evidence.Observations.Of(run); !slices.Equal(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	})
}
