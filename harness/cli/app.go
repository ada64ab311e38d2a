// Package cli is the command line of the harness. A team with a service of its own calls Main with its own App and gets
// the same commands, exit codes and reports.
package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/env"
)

// App is what the command line works with.
type App struct {
	Catalogue []harness.Scenario
	Drivers   []Driver // at least one; auto asks them in this order
	Reports   Reports
	Mutants   string // folder of the mutants, from the module's root, with slashes
	Out       string // folder that receives the runs where CHAOS_OUT names none, likewise
}

// Driver is a way to run nodes.
type Driver struct {
	// Kind is such a driver, connected to nothing. Its Name is what CHAOS_DRIVER calls it, and its type has its abilities.
	Kind env.Driver
	// Answers returns nil if nodes can be run this way on this machine. The error says in one line what to do. Only auto
	// asks, where there are several drivers.
	Answers func(context.Context) error
	// Connect gives a driver for one run, and removes what killed runs left behind.
	Connect func(context.Context, Connection) (env.Driver, error)
	// Clean removes what such drivers keep from run to run, as images are. Runs that are going on are left alone.
	Clean func(context.Context) error
}

// Connection is what a driver is connected for.
type Connection struct {
	Run     string                           // unique id
	Root    string                           // folder of the module whose Go programs are run
	Overlay string                           // path of a JSON file for go build -overlay, or empty
	Race    bool                             // builds Go programs with the race detector
	Logf    func(format string, args ...any) // receives what takes long, one line each, from any goroutine
}

// Reports are written into the folder that they are about, from what is saved there.
type Reports struct {
	// Run writes all reports of a run, or of a run of mutants. It counts the scenarios, and those that passed.
	Run func(dir string) (passed, all int, err error)
	// Scenario writes the report of one scenario.
	Scenario func(dir string) error
}

// pick finds scenarios by name, in the catalogue's order; no names means all but those that have to be named.
func (a App) pick(names []string) ([]harness.Scenario, error) {
	for _, n := range names {
		if _, err := a.find(n); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(slices.Clone(a.Catalogue), func(s harness.Scenario) bool {
		return !slices.Contains(names, s.Name) && (s.Soak || len(names) > 0)
	}), nil
}

func (a App) find(name string) (harness.Scenario, error) {
	var known []string
	for _, s := range a.Catalogue {
		if s.Name == name {
			return s, nil
		}
		known = append(known, s.Name)
	}
	return harness.Scenario{}, fmt.Errorf("%w: no scenario %q: there are %s", errUsage, name, strings.Join(known, ", "))
}

// auto is the driver that CHAOS_DRIVER names where nobody chose one.
const auto = "auto"

// driverNames are what CHAOS_DRIVER can name.
func (a App) driverNames() []string {
	names := []string{auto}
	for _, d := range a.Drivers {
		names = append(names, d.Kind.Name())
	}
	return names
}

// driver finds the driver of that name, and says why it is that one. Where auto finds none that answers it takes the
// first, whose first run says what is wrong.
func (a App) driver(ctx context.Context, name string) (d Driver, why string, err error) {
	names := a.driverNames()
	i := slices.Index(names, name) - 1 // auto is before them
	switch {
	case i >= 0:
		return a.Drivers[i], envDriver + " names it", nil
	case name != auto:
		return Driver{}, "", fmt.Errorf("%w: %s=%q: want %s", errUsage, envDriver, name, strings.Join(names, " or "))
	case len(a.Drivers) == 1:
		return a.Drivers[0], "the only one", nil
	}
	var refusals []string
	for _, d := range a.Drivers {
		err := d.Answers(ctx)
		if err == nil {
			return d, strings.Join(append(refusals, "it answers"), "; "), nil
		}
		refusals = append(refusals, d.Kind.Name()+": "+check.OneLine(err.Error()))
	}
	return a.Drivers[0], strings.Join(append(refusals, "none answers"), "; "), nil
}
