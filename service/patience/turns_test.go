package patience

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
		turns := newTurns(1)
		if err := turns.take(t.Context()); err != nil {
			t.Fatal(err)
		}
		var order []time.Duration
		var all sync.WaitGroup
		for _, patience := range []time.Duration{5, 2, 0, 9, 1} { // seconds; 0 is a caller without a deadline
			all.Go(func() {
				ctx := t.Context()
				if patience > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, patience*time.Second)
					defer cancel()
				}
				if err := turns.take(ctx); err != nil {
					t.Error(err)
				}
				order = append(order, patience)
				turns.give()
			})
		}
		synctest.Wait()
		turns.give()
		all.Wait()
		if want := []time.Duration{1, 2, 5, 9, 0}; !slices.Equal(order, want) {
			t.Errorf("turns came as %d, want %d", order, want)
		}
	})
}

// However callers come, go on, give up and leave: never more than n go on at a time, and in the end all turns are free.
func TestTurnsAreNeitherLostNorDoubled(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 3).Draw(rt, "turns")
		type caller struct{ from, patience, takes time.Duration }
		callers := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) caller {
			draw := func(name string) time.Duration {
				return time.Duration(rapid.IntRange(0, 20).Draw(rt, name)) * time.Millisecond
			}
			return caller{draw("from"), draw("patience"), draw("takes")}
		}), 1, 20).Draw(rt, "callers")
		synctest.Test(t, func(t *testing.T) {
			turns := newTurns(n)
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
					ctx, cancel := context.WithTimeout(t.Context(), c.patience)
					defer cancel()
					if err := turns.take(ctx); err != nil {
						if !errors.Is(err, context.DeadlineExceeded) {
							t.Error(err)
						}
						return
					}
					count(1)
					time.Sleep(c.takes)
					count(-1)
					turns.give()
				})
			}
			all.Wait()
			if turns.free != n || len(turns.waiting) != 0 {
				t.Errorf("in the end %d of %d turns are free, %d wait", turns.free, n, len(turns.waiting))
			}
		})
	})
}
