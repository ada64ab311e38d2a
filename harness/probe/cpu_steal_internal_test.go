package probe

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

func procStatOf(stolen int) []byte {
	return fmt.Appendf(nil, "cpu  2467 10 748 28069 181 0 9 %d 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\nintr 1\n", stolen)
}

// TestStolen: time was stolen from 200 to 400 ms and from 700 ms to the end.
func TestStolen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, total := time.Now(), 40
		watched(t, time.Second, cpuStealFrom(func() ([]byte, error) {
			at := time.Since(began)
			if at > 200*time.Millisecond && at <= 400*time.Millisecond || at > 700*time.Millisecond {
				total++
			}
			return procStatOf(total), nil
		}), "machine free 0s", "machine stolen 200ms", "machine free 400ms", "machine stolen 700ms")
	})
}

func TestStolenWithoutAccount(t *testing.T) { withoutAccount(t, cpuStealFrom, procStatOf(0)) }

// recorded lets a probe look for so long, and returns what it recorded.
func recorded(t *testing.T, length time.Duration, p Probe, e *env.Env) *evidence.Run {
	t.Helper()
	dir := t.TempDir()
	rec, err := evidence.NewRecorder(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	if err := p.Watch(ctx, e, rec); err != nil {
		t.Error(err)
	}
	if err := errors.Join(rec.WritePlan(evidence.Plan{Scenario: "watched"}), rec.Close()); err != nil {
		t.Fatal(err)
	}
	run, err := evidence.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// watched compares what a probe records in so long with what is wanted.
func watched(t *testing.T, length time.Duration, p Probe, want ...string) {
	t.Helper()
	run := recorded(t, length, p, nil)
	var got []string
	for _, o := range evidence.Observations.Of(run) {
		got = append(got, fmt.Sprintf("%s %s %s", o.Source, o.What, o.At))
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// withoutAccount: where the kernel has no account there is nothing to tell; one that goes away is an observer gone blind.
func withoutAccount(t *testing.T, probeOf func(read func() ([]byte, error)) Probe, text []byte) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		for after, wantError := range map[int]bool{0: false, 3: true} {
			looks := 0
			p := probeOf(func() ([]byte, error) {
				if looks++; looks > after {
					return nil, os.ErrNotExist
				}
				return text, nil
			})
			rec, err := evidence.NewRecorder(t.TempDir(), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			if err := p.Watch(ctx, nil, rec); errors.Is(err, os.ErrNotExist) != wantError {
				t.Errorf("after %d looks: %v", after, err)
			}
			cancel()
			if err := rec.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

func FuzzStolenTicks(f *testing.F) {
	f.Add(procStatOf(7))
	f.Add([]byte("cpu 1 2 3 4 5 6 7\n"))
	f.Add([]byte("cpu 1 2 3 4 5 6 7 -8\n"))
	f.Add([]byte("intr 1 2 3 4 5 6 7 8"))
	f.Fuzz(func(t *testing.T, text []byte) {
		ticks, err := stealTicks(text)
		if err == nil && ticks > 0 {
			again, err := stealTicks(fmt.Appendf(nil, "cpu 0 0 0 0 0 0 0 %d\n", ticks))
			if err != nil || again != ticks {
				t.Errorf("%d of %d: %v", again, ticks, err)
			}
		}
	})
}
