package dependency

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func TestNearestDeadlineFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		semaphore := newDeadlineSemaphore(1)
		if err := semaphore.acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
		var order []time.Duration
		var all sync.WaitGroup
		for _, timeout := range []time.Duration{5, 2, 0, 9, 1} { // seconds; 0 is a caller without a deadline
			all.Go(func() {
				ctx := t.Context()
				if timeout > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, timeout*time.Second)
					defer cancel()
				}
				if err := semaphore.acquire(ctx); err != nil {
					t.Error(err)
				}
				order = append(order, timeout)
				semaphore.release()
			})
		}
		synctest.Wait()
		semaphore.release()
		all.Wait()
		if want := []time.Duration{1, 2, 5, 9, 0}; !slices.Equal(order, want) {
			t.Errorf("slots came as %d, want %d", order, want)
		}
	})
}

// However callers come, go on, give up and leave: never more than n go on at a time, and in the end all slots are free.
func TestSlotsAreNeitherLostNorDoubled(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 3).Draw(rt, "slots")
		type caller struct{ from, timeout, takes time.Duration }
		callers := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) caller {
			draw := func(name string) time.Duration {
				return time.Duration(rapid.IntRange(0, 20).Draw(rt, name)) * time.Millisecond
			}
			return caller{draw("from"), draw("timeout"), draw("takes")}
		}), 1, 20).Draw(rt, "callers")
		synctest.Test(t, func(t *testing.T) {
			semaphore := newDeadlineSemaphore(n)
			var mu sync.Mutex
			var active int
			count := func(by int) {
				mu.Lock()
				defer mu.Unlock()
				if active += by; active > n {
					t.Errorf("%d go on at a time, %d may", active, n)
				}
			}
			var all sync.WaitGroup
			for _, c := range callers {
				all.Go(func() {
					time.Sleep(c.from)
					ctx, cancel := context.WithTimeout(t.Context(), c.timeout)
					defer cancel()
					if err := semaphore.acquire(ctx); err != nil {
						if !errors.Is(err, context.DeadlineExceeded) {
							t.Error(err)
						}
						return
					}
					count(1)
					time.Sleep(c.takes)
					count(-1)
					semaphore.release()
				})
			}
			all.Wait()
			if semaphore.free != n || len(semaphore.waiting) != 0 {
				t.Errorf("in the end %d of %d slots are free, %d wait", semaphore.free, n, len(semaphore.waiting))
			}
		})
	})
}
