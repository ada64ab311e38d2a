package cli

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestSweepScratch: a sweep removes what a dead process left, leaves a live one its folder, and nothing of either remains
// when that one is done.
func TestSweepScratch(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	dead, alive := mustScratch(t, "dead"), mustScratch(t, "alive")
	if err := os.WriteFile(filepath.Join(dead.path, "copy.go"), []byte("package p\n"), 0o444); err != nil {
		t.Fatal(err)
	}
	if err := dead.lock.Release(); err != nil { // as the kernel does at kill -9
		t.Fatal(err)
	}
	if err := sweepScratch(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dead.path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder of the dead process is still there: %v", err)
	}
	if _, err := os.Stat(alive.path); err != nil {
		t.Errorf("the folder of the live process is gone: %v", err)
	}
	if err := alive.remove(); err != nil {
		t.Fatal(err)
	}
	dir, err := scratchDir()
	if err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestScratchIsOurs: a folder that another process has is not given out.
func TestScratchIsOurs(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	mustScratch(t, "one")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newScratch(ctx, "one"); !errors.Is(err, context.Canceled) {
		t.Errorf("the same folder twice: %v", err)
	}
}

func mustScratch(t *testing.T, name string) *scratch {
	t.Helper()
	s, err := newScratch(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
