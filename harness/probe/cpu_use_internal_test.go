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

// cpuText is what the kernel says of two processors on which processes used so much.
func cpuText(used time.Duration) []byte {
	ticks := used / cpuTick
	return fmt.Appendf(nil, "cpu  %d %d %d 900 50 7 80 9 3 1\ncpu0 1 2 3 4 5 6 7 8 9 10\ncpu1 1 2 3 4 5 6 7 8 9 10\nintr 1 2 3 4\n", ticks/2, ticks/10, ticks-ticks/2-ticks/10)
}

// spender is a driver whose run uses CPU time.
type spender struct {
	env.Driver
	used func() (time.Duration, error)
}

func (s spender) CPUTime(context.Context) (time.Duration, error) { return s.used() }

// cpuUses lets the probe look for so long.
func cpuUses(t *testing.T, length time.Duration, d env.Driver, read func() ([]byte, error)) []evidence.CPUUse {
	t.Helper()
	return evidence.CPUUses.Of(recorded(t, length, cpuUseFrom(read), env.New(d, 1, t.Logf)))
}

// second is one of two processors that were busy for so long, a part of it for the run.
func second(end int, busy, run time.Duration) evidence.CPUUse {
	return evidence.CPUUse{At: time.Duration(end) * time.Second, Took: time.Second, Cores: 2, Busy: busy, Run: run}
}

func TestCPUUse(t *testing.T) {
	const length = 3*time.Second + 1
	lost := errors.New("not to be read")
	for _, c := range []struct {
		name string
		// busy and run are what was used at that time since the start, run less than 0 if the driver cannot tell.
		busy, run func(at time.Duration) time.Duration
		want      []evidence.CPUUse
	}{
		{"nothing", func(time.Duration) time.Duration { return 0 }, func(time.Duration) time.Duration { return 0 },
			[]evidence.CPUUse{second(1, 0, 0), second(2, 0, 0), second(3, 0, 0)}},
		{"the run alone", func(at time.Duration) time.Duration { return at * 2 }, func(at time.Duration) time.Duration { return at * 2 },
			[]evidence.CPUUse{second(1, 2*time.Second, 2*time.Second), second(2, 2*time.Second, 2*time.Second), second(3, 2*time.Second, 2*time.Second)}},
		{"others from the second second on", func(at time.Duration) time.Duration { return at/2 + max(0, at-time.Second) }, func(at time.Duration) time.Duration { return at / 2 },
			[]evidence.CPUUse{second(1, time.Second/2, time.Second/2), second(2, 3*time.Second/2, time.Second/2), second(3, 3*time.Second/2, time.Second/2)}},
		{"a look that failed", func(at time.Duration) time.Duration { return at }, func(at time.Duration) time.Duration {
			if at == 2*time.Second {
				return -1
			}
			return at
		}, []evidence.CPUUse{second(1, time.Second, time.Second), {At: 3 * time.Second, Took: 2 * time.Second, Cores: 2, Busy: 2 * time.Second, Run: 2 * time.Second}}},
		{"the driver cannot tell", func(at time.Duration) time.Duration { return at }, func(time.Duration) time.Duration { return -1 }, nil},
		{"no account here", func(time.Duration) time.Duration { return -1 }, func(at time.Duration) time.Duration { return at }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				used := func() (time.Duration, error) {
					if u := c.run(time.Since(began)); u >= 0 {
						return u, nil
					}
					return 0, lost
				}
				got := cpuUses(t, length, spender{used: used}, func() ([]byte, error) {
					if u := c.busy(time.Since(began)); u >= 0 {
						return cpuText(u), nil
					}
					return nil, os.ErrNotExist
				})
				if !slices.Equal(got, c.want) {
					t.Errorf("%+v, want %+v", got, c.want)
				}
			})
		})
	}
}

// TestCPUUseLooksSlowly: a look that takes long counts nothing of the run's as that of others.
func TestCPUUseLooksSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, looks := time.Now(), 0
		used := func() (time.Duration, error) {
			looks++
			if looks%3 == 1 {
				time.Sleep(200 * time.Millisecond)
			}
			used := 2 * time.Since(began)
			if looks%3 == 2 {
				time.Sleep(200 * time.Millisecond)
			}
			return used, nil
		}
		got := cpuUses(t, 10*time.Second+1, spender{used: used}, func() ([]byte, error) { return cpuText(2 * time.Since(began)), nil })
		for _, u := range got {
			if u.Busy > u.Run || u.OthersShare() > 0 {
				t.Errorf("%+v", u)
			}
		}
		if len(got) != 10 {
			t.Errorf("%d stretches, want 10", len(got))
		}
	})
}

// bare is a driver that knows nothing of CPU time.
type bare struct{ env.Driver }

func (bare) Name() string { return "bare" }

func TestCPUUseOfUnableDriver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if got := cpuUses(t, 3*time.Second, bare{}, func() ([]byte, error) { return cpuText(0), nil }); len(got) > 0 {
			t.Errorf("%+v", got)
		}
	})
}

func FuzzMachineUse(f *testing.F) {
	f.Add(cpuText(7 * time.Second))
	f.Add([]byte("cpu 1 2\n"))
	f.Add([]byte("cpu 1 2 -3\ncpu0 1 2 3\n"))
	f.Add([]byte("cpu 1 2 3\nintr 1 2 3 4\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		u, err := readMachineUse(text)
		if err == nil && u.cores < 1 {
			t.Errorf("%+v of %q", u, text)
		}
	})
}
