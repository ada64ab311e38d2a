// Package cli is the command line of the harness. A team with a service of its own calls Main with its own catalogue and
// gets the same commands, exit codes and reports.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/alecthomas/kong"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
)

// Exit codes. Of several, the first in this order wins: failed, set-up, inconclusive, passed.
const (
	ExitPass    = 0
	ExitFail    = 1 // a claim failed
	ExitUsage   = 2
	ExitUnknown = 3 // inconclusive
	ExitSetup   = 4
)

type commands struct {
	List    listCmd    `cmd:"" help:"List the scenarios and what each one claims."`
	Run     runCmd     `cmd:"" help:"Run scenarios (all of them without names) and write the reports."`
	Judge   judgeCmd   `cmd:"" help:"Judge a saved run again; reads and writes only its folder."`
	Report  reportCmd  `cmd:"" help:"Write the reports of a saved run again."`
	Images  imagesCmd  `cmd:"" help:"Build or fetch every image that the scenarios need."`
	Clean   cleanCmd   `cmd:"" help:"Remove our images and what killed runs left behind."`
	Mutants mutantsCmd `cmd:"" help:"Build the service with each seeded defect and see that the named check catches it."`
}

// app is what every command gets.
type app struct {
	catalogue []harness.Scenario
	getenv    func(string) string
	out, err  io.Writer
	live      bool // err is a terminal
}

// Main runs the command line over a catalogue and returns the exit code.
func Main(catalogue []harness.Scenario) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	a := &app{catalogue: catalogue, getenv: os.Getenv, out: os.Stdout, err: os.Stderr, live: isTerminal(os.Stderr)}
	return a.main(ctx, os.Args[1:])
}

func (a *app) main(ctx context.Context, args []string) int {
	code, err := a.dispatch(ctx, args)
	if err != nil && !errors.As(err, new(statusError)) {
		fmt.Fprintln(a.err, "chaos: "+oneLine(err))
	}
	return code
}

// helped carries the exit code of kong's --help out of its parser.
type helped int

func (a *app) dispatch(ctx context.Context, args []string) (code int, err error) {
	defer func() {
		if p := recover(); p != nil {
			c, ok := p.(helped)
			if !ok {
				panic(p)
			}
			code, err = int(c), nil
		}
	}()
	parser, err := kong.New(&commands{}, kong.Name("chaos"), kong.Writers(a.out, a.err), kong.Exit(func(c int) { panic(helped(c)) }),
		kong.Description("Does this service keep its promises while the things it depends on fail?"+
			"\n\nCHAOS_DRIVER=auto|docker, CHAOS_SEED=n (the same seed gives the same plan), CHAOS_OUT=folder for the reports."+
			"\n\nExit code: 0 all passed, 1 a claim failed, 2 usage, 3 inconclusive, 4 set-up failed."))
	if err != nil {
		return ExitSetup, err
	}
	k, err := parser.Parse(args)
	if err != nil {
		return ExitUsage, fmt.Errorf("%w (see: chaos --help)", err)
	}
	k.BindTo(ctx, (*context.Context)(nil))
	err = k.Run(a)
	return exitCode(err), err
}

// statusError ends a command whose outcome is not a pass; the command has already shown why.
type statusError struct{ code int }

func (e statusError) Error() string {
	return fmt.Sprintf("not everything passed (exit code %d)", e.code)
}

func exitCode(err error) int {
	var s statusError
	switch {
	case err == nil:
		return ExitPass
	case errors.As(err, &s):
		return s.code
	case errors.Is(err, errUsage), errors.Is(err, harness.ErrScenario):
		return ExitUsage
	default:
		return ExitSetup
	}
}

// worse combines the exit codes of several scenarios.
func worse(a, b int) int {
	for _, c := range []int{ExitFail, ExitSetup, ExitUnknown} {
		if a == c || b == c {
			return c
		}
	}
	return max(a, b)
}

func statusCode(s check.Status) int {
	switch s {
	case check.Pass:
		return ExitPass
	case check.Fail:
		return ExitFail
	default:
		return ExitUnknown
	}
}

// pick finds scenarios by name, in the catalogue's order; no names means all but those that have to be named.
func (a *app) pick(names []string) ([]harness.Scenario, error) {
	if len(names) == 0 {
		return slices.DeleteFunc(slices.Clone(a.catalogue), func(s harness.Scenario) bool { return s.Soak }), nil
	}
	var out []harness.Scenario
	for _, s := range a.catalogue {
		for _, n := range names {
			if s.Name == n {
				out = append(out, s)
				break
			}
		}
	}
	for _, n := range names {
		if _, err := a.find(n); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (a *app) find(name string) (harness.Scenario, error) {
	var known []string
	for _, s := range a.catalogue {
		if s.Name == name {
			return s, nil
		}
		known = append(known, s.Name)
	}
	return harness.Scenario{}, fmt.Errorf("%w: no scenario %q: there are %s", errUsage, name, strings.Join(known, ", "))
}

type listCmd struct{}

func (listCmd) Run(a *app) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, s := range a.catalogue {
		name := s.Name
		if s.Soak {
			name += " (soak)"
		}
		fmt.Fprintf(w, "%s\t%s\n", name, s.Claim)
	}
	return w.Flush()
}

// oneLine keeps an error readable in a terminal and in a CI log.
func oneLine(err error) string {
	return strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}
