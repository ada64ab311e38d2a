// Package panics turns panics into errors. Probes, faults and loads are other people's code: what is broken has to be healed
// and what was launched has to be removed even so, and a panic that nobody recovers ends the process at once.
package panics

import (
	"errors"
	"fmt"
	"runtime/debug"

	"golang.org/x/sync/errgroup"
)

// ErrPanic is the error of a function that panicked. Its text tells where.
var ErrPanic = errors.New("panic")

// Do calls a function and returns its error, or ErrPanic.
func Do(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v\n%s", ErrPanic, p, debug.Stack())
		}
	}()
	return do()
}

// Group is an errgroup.Group for functions that may panic, which errgroup itself does not recover. The zero value is ready
// for use.
type Group struct{ all errgroup.Group }

// Go calls a function beside the others.
func (g *Group) Go(do func() error) { g.all.Go(func() error { return Do(do) }) }

// Wait waits for all of them and returns the first error.
func (g *Group) Wait() error { return g.all.Wait() }
