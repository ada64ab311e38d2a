package probe_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/probe"
)

// TestChanges: a node answers within a millisecond, until it is paused and from when it is resumed; it has a role, which
// changes; once, the whole harness stands still.
func TestChanges(t *testing.T) {
	const ms = time.Millisecond
	const pause, resume, promoted, stall, stalled = 1050 * ms, 3020 * ms, 4050 * ms, 5000 * ms, 2 * time.Second
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		look := func(ctx context.Context, _ *env.Env, n *env.Node) []evidence.Observation {
			now := time.Since(began)
			if now >= stall && now < stall+stalled {
				time.Sleep(stalled)
				return []evidence.Observation{{Source: "alive", What: evidence.SawDown}}
			}
			answer := now + ms
			if now >= pause {
				answer = max(answer, resume)
			}
			select {
			case <-ctx.Done():
				return []evidence.Observation{{Source: "alive", What: evidence.SawDown, Detail: "no answer"}}
			case <-time.After(answer - now):
			}
			role := "replica"
			if now >= promoted {
				role = "master"
			}
			return []evidence.Observation{{Source: "alive", What: evidence.SawUp}, {Source: "role", What: role, Detail: n.Name}}
		}
		e := newEnv(t, map[string]*proc{"store-1": newProc(""), "other-1": newProc("")})
		run, err := watch(t, probe.Changes("alive", "store", 100*ms, look), e, func() { time.Sleep(8 * time.Second) })
		if err != nil {
			t.Fatal(err)
		}
		want := []evidence.Observation{
			{At: 1 * ms, Source: "alive", Node: "store-1", What: evidence.SawUp},
			{At: 1 * ms, Source: "role", Node: "store-1", What: "replica", Detail: "store-1"},
			{At: 1200 * ms, Source: "alive", Node: "store-1", What: evidence.SawDown, Detail: "no answer"}, // asked at 1.1 s
			{At: 1200 * ms, Source: evidence.SourceBlind("role"), Node: "store-1", What: evidence.SawUnknown},
			{At: resume, Source: "alive", Node: "store-1", What: evidence.SawUp},
			{At: resume, Source: "role", Node: "store-1", What: "replica", Detail: "store-1"},
			{At: 4101 * ms, Source: "role", Node: "store-1", What: "master", Detail: "store-1"},
		}
		if got := evidence.Observations.Of(run); !slices.Equal(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	})
}

// TestChangesAreRecordedAtOnceWhenRefused: only silence takes time to be noticed.
func TestChangesAreRecordedAtOnceWhenRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		look := func(context.Context, *env.Env, *env.Node) []evidence.Observation {
			if time.Since(began) >= 450*time.Millisecond {
				return []evidence.Observation{{What: evidence.SawDown, Detail: "refused"}}
			}
			return []evidence.Observation{{What: evidence.SawUp}}
		}
		e := newEnv(t, map[string]*proc{"store-1": newProc("")})
		run, err := watch(t, probe.Changes("alive", "store", 100*time.Millisecond, look), e, func() { time.Sleep(time.Second) })
		got := evidence.Observations.Of(run)
		if err != nil || len(got) != 2 || got[1].At != 500*time.Millisecond || got[1].What != evidence.SawDown {
			t.Errorf("%v, %+v", err, got)
		}
	})
}

// TestPace: a node is slow from 50 ms on, and silent for a while, in which that is not known.
func TestPace(t *testing.T) {
	const ms = time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		ask := func(ctx context.Context, _ *env.Env, _ *env.Node) error {
			takes := 2 * ms
			switch now := time.Since(began); {
			case now >= 3000*ms:
			case now >= 2000*ms:
				takes = time.Hour
			case now >= 1000*ms:
				takes = 50 * ms
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(takes):
				return nil
			}
		}
		e := newEnv(t, map[string]*proc{"store-1": newProc("")})
		run, err := watch(t, probe.Latency("pace", "store", 100*ms, 50*ms, ask), e, func() { time.Sleep(4 * time.Second) })
		if err != nil {
			t.Fatal(err)
		}
		want := []evidence.Observation{
			{At: 2 * ms, Source: "pace", Node: "store-1", What: evidence.SawPrompt},
			{At: 1050 * ms, Source: "pace", Node: "store-1", What: evidence.SawSlow},
			{At: 2100 * ms, Source: evidence.SourceBlind("pace"), Node: "store-1", What: evidence.SawUnknown},
			{At: 3002 * ms, Source: "pace", Node: "store-1", What: evidence.SawPrompt},
		}
		if got := evidence.Observations.Of(run); !slices.Equal(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	})
}
