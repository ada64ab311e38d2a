package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sentinel-chaos/sentinel/fixtures/docker/flock"
)

// scratch is a folder for files that are needed while this process lives. Its lock, which the kernel releases however we
// die, tells it from those of the dead.
type scratch struct {
	path string
	lock *flock.Lock
}

const scratchLock = ".lock"

func scratchDir() (string, error) { return flock.Dir("scratch") }

// newScratch makes a folder of that name, which no other process may use at any time.
func newScratch(ctx context.Context, name string) (*scratch, error) {
	dir, err := scratchDir()
	if err != nil {
		return nil, err
	}
	s := &scratch{path: filepath.Join(dir, name)}
	// A sweep that meets our lock's file before it is locked takes it for a dead one's, removes it, and finds no folder.
	if s.lock, err = flock.Wait(ctx, s.path+scratchLock, func() {}); err != nil {
		return nil, err
	}
	if err := os.Mkdir(s.path, 0o700); err != nil {
		return nil, errors.Join(fmt.Errorf("make a folder for scratch files: %w", err), s.lock.Release())
	}
	return s, nil
}

// remove keeps the lock's file if anything is left, for the next sweep.
func (s *scratch) remove() error {
	if err := os.RemoveAll(s.path); err != nil {
		return errors.Join(fmt.Errorf("remove scratch files: %w", err), s.lock.Release())
	}
	return s.lock.Remove()
}

// sweepScratch removes the folders whose process has died.
func sweepScratch() error {
	dir, err := scratchDir()
	if err != nil {
		return err
	}
	locks, err := filepath.Glob(filepath.Join(dir, "*"+scratchLock))
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range locks {
		lock, err := flock.Try(path)
		switch {
		case err == nil:
			errs = append(errs, (&scratch{strings.TrimSuffix(path, scratchLock), lock}).remove())
		case errors.Is(err, flock.ErrHeld), errors.Is(err, fs.ErrPermission):
			// alive, or for all we know alive
		default:
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
