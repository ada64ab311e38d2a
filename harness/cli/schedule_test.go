package cli

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestRunSlot: whoever waits gets the slot when it is released, once, or an error when it waits no longer.
func TestRunSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slot := newRunSlot()
		release, err := slot.acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		bored := errors.New("waited for too long")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, bored)
		defer cancel()
		if _, err := slot.acquire(ctx); !errors.Is(err, bored) {
			t.Errorf("while another has it: %v", err)
		}
		time.AfterFunc(time.Second, func() { release(); release() })
		began := time.Now()
		if _, err := slot.acquire(t.Context()); err != nil || time.Since(began) != time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		release() // it is another's by now
		if _, err := slot.acquire(ctx); !errors.Is(err, bored) {
			t.Errorf("released by one who has it no more: %v", err)
		}
		if _, err := newRunSlot().acquire(ctx); !errors.Is(err, bored) {
			t.Errorf("free, but too late: %v", err)
		}
	})
}

// TestNext: a slot that was released is the next one's, and whoever gave up has none to release.
func TestNext(t *testing.T) {
	s, err := NewSession(testConfig(t), t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	first, err := s.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cut, cancel := context.WithCancel(t.Context())
	cancel()
	none, err := s.Next(cut)
	none.Release()
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	first.Release()
	second, err := s.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second.Release()
}
