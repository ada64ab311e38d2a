package postgres

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestOpeningIsBounded: no more than openAtOnce are under way, also if half of them fail and tell nobody; and everybody has a turn.
func TestOpeningIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const all, takes = 20, connectTimeout / 5
		o := newOpening()
		var underWay, most, done atomic.Int64
		for i := range all {
			go func() {
				if err := o.begin(t.Context()); err != nil {
					t.Error(err)
				}
				most.Store(max(most.Load(), underWay.Add(1)))
				if i%2 == 0 {
					time.Sleep(takes)
					underWay.Add(-1)
					o.end()
				} else { // it fails, and its slot comes back by itself
					time.Sleep(connectTimeout - time.Nanosecond)
					underWay.Add(-1)
				}
				done.Add(1)
			}()
		}
		began := time.Now()
		time.Sleep(all * connectTimeout)
		if done.Load() != all || most.Load() > openAtOnce {
			t.Errorf("%d of %d had a turn, %d at once, after %s", done.Load(), all, most.Load(), time.Since(began))
		}
	})
}

func TestOpeningEndsWithTheContext(t *testing.T) {
	o := newOpening()
	for range openAtOnce {
		if err := o.begin(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := o.begin(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	o.end()
	if err := o.begin(t.Context()); err != nil {
		t.Error(err)
	}
}
