package probe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// compared runs a probe for that long and to its collection, and returns the clocks that it recorded.
func compared(t *testing.T, p Probe, e *env.Env, lasts time.Duration) (clocks []string, collect error) {
	t.Helper()
	dir := t.TempDir()
	rec, err := evidence.NewRecorder(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), lasts)
	defer cancel()
	if err := p.Watch(ctx, e, rec); err != nil {
		t.Error(err)
	}
	collect = p.Collect(t.Context(), e, rec)
	if err := errors.Join(rec.WritePlan(evidence.Plan{}), rec.Close()); err != nil {
		t.Fatal(err)
	}
	run, err := evidence.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range evidence.Clocks.Of(run) {
		clocks = append(clocks, fmt.Sprintf("%s %s: %s ±%s", c.At, c.Node, c.Offset, c.Error))
	}
	return clocks, collect
}

func TestClocks(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		offset func(since time.Duration) time.Duration
		want   []string
	}{
		"steady": {func(time.Duration) time.Duration { return 0 }, []string{"0s harness: 0s ±0s", "1s harness: 0s ±0s"}},
		"slewed by 500 ppm": {func(since time.Duration) time.Duration { return since / 2000 },
			[]string{"0s harness: 0s ±0s", "1s harness: 500µs ±0s"}},
		"stepped forward": {func(since time.Duration) time.Duration {
			if since < 350*ms {
				return 0
			}
			return 200 * ms
		}, []string{"0s harness: 0s ±0s", "400ms harness: 200ms ±0s", "1s harness: 200ms ±0s"}},
		"stepped back, and set right": {func(since time.Duration) time.Duration {
			if since < 350*ms || since > 550*ms {
				return 0
			}
			return -time.Second
		}, []string{"0s harness: 0s ±0s", "400ms harness: -1s ±0s", "600ms harness: 0s ±0s", "1s harness: 0s ±0s"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				p := clocksFrom(func() time.Time { now := time.Now(); return now.Add(c.offset(now.Sub(began))) })
				got, err := compared(t, p, nil, time.Second)
				if err != nil || !slices.Equal(got, c.want) {
					t.Errorf("%q, %v; want %q", got, err, c.want)
				}
			})
		})
	}
}

// silent is a driver whose nodes are only there.
type silent struct{ env.Driver }

func (silent) Addr(string) (string, error)                        { return "", nil }
func (silent) Launch(context.Context, env.Spec) (env.Proc, error) { return nil, nil }

// TestNodeClock: an answer takes 40 ms, so its offset is known to within 20 ms. One that does not come tells nothing.
func TestNodeClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := env.New(silent{}, 1, t.Logf)
		for _, s := range []env.Spec{{Name: "store-1", Role: "store"}, {Name: "app-1", Role: "app"}} {
			if _, err := e.Launch(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
		asked := 0
		p := NodeClock("store", func(ctx context.Context, n *env.Node) (time.Time, error) {
			time.Sleep(20 * time.Millisecond)
			told := time.Now().Add(-3 * time.Second)
			time.Sleep(20 * time.Millisecond)
			if asked++; asked == 2 || asked > 4 {
				return told, errors.New("no answer")
			}
			return told, nil
		})
		got, err := compared(t, p, e, 2500*time.Millisecond)
		want := []string{"20ms store-1: -3s ±20ms", "2.02s store-1: -3s ±20ms", "2.52s store-1: -3s ±20ms"}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
		if _, err := compared(t, p, e, time.Millisecond); err == nil {
			t.Error("a node that does not answer in the end is not missed")
		}
	})
}
