package panics_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sentinel-chaos/sentinel/harness/internal/panics"
)

var errPlain = errors.New("plain")

func TestDo(t *testing.T) {
	for name, c := range map[string]struct {
		do   func() error
		want error
		text string
	}{
		"nothing wrong": {func() error { return nil }, nil, ""},
		"an error":      {func() error { return errPlain }, errPlain, "plain"},
		"a panic":       {func() error { panic("no such map") }, panics.ErrPanic, "panic: no such map\n"},
		"of an error":   {func() error { panic(errPlain) }, panics.ErrPanic, "panic: plain\n"},
		"of the runtime": {func() error { var m map[string]int; m["a"] = 1; return nil }, panics.ErrPanic,
			"panic: assignment to entry in nil map\n"},
	} {
		err := panics.Do(c.do)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if err != nil && !strings.HasPrefix(err.Error(), c.text) {
			t.Errorf("%s: %v, want %q", name, err, c.text)
		}
		if errors.Is(err, panics.ErrPanic) && !strings.Contains(err.Error(), "panics_test.go") {
			t.Errorf("%s: it does not say where: %v", name, err)
		}
	}
}

// TestGroup: whoever does not panic is waited for.
func TestGroup(t *testing.T) {
	var g panics.Group
	panicked, done := make(chan struct{}), false
	g.Go(func() error { defer close(panicked); panic("no such map") })
	g.Go(func() error { <-panicked; done = true; return nil })
	if err := g.Wait(); !errors.Is(err, panics.ErrPanic) || !done {
		t.Errorf("%v; the other was done: %t", err, done)
	}
}
