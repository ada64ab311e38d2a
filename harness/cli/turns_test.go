package cli

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestTurns: whoever waits gets the turn when it is given back, once, or an error when it waits no longer.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns()
		giveBack, err := turns.take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		bored := errors.New("waited for too long")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, bored)
		defer cancel()
		if _, err := turns.take(ctx); !errors.Is(err, bored) {
			t.Errorf("while another has it: %v", err)
		}
		time.AfterFunc(time.Second, func() { giveBack(); giveBack() })
		began := time.Now()
		if _, err := turns.take(t.Context()); err != nil || time.Since(began) != time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		giveBack() // it is another's by now
		if _, err := turns.take(ctx); !errors.Is(err, bored) {
			t.Errorf("given back by one who has it no more: %v", err)
		}
		if _, err := newTurns().take(ctx); !errors.Is(err, bored) {
			t.Errorf("free, but too late: %v", err)
		}
	})
}

// TestNext: a turn that was ended is the next one's, and whoever gave up has none to end.
func TestNext(t *testing.T) {
	s, err := NewSession(Config{Out: t.TempDir()}, t.Logf)
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
	none.End()
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	first.End()
	second, err := s.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second.End()
}
