package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
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
	ExitFail    = 1 // a claim failed, or no check noticed a corruption
	ExitUsage   = 2
	ExitUnknown = 3 // inconclusive
	ExitSetup   = 4
)

type commands struct {
	List    listCmd    `cmd:"" help:"List the scenarios and what each one claims."`
	Run     runCmd     `cmd:"" help:"Run scenarios (all of them without names) and write the reports."`
	Judge   judgeCmd   `cmd:"" help:"Judge a saved run again; reads and writes only its folder."`
	Corrupt corruptCmd `cmd:"" help:"Spoil a saved run's evidence, one record at a time, and tell which corruptions no check notices."`
	Report  reportCmd  `cmd:"" help:"Write the reports of a saved run again."`
	Images  imagesCmd  `cmd:"" help:"Build or fetch every image that the scenarios need."`
	Clean   cleanCmd   `cmd:"" help:"Remove our images and what killed runs left behind."`
	Mutants mutantsCmd `cmd:"" help:"Build the service with each seeded defect and see that the named check catches it, and passes without the defect."`
	Record  recordCmd  `cmd:"" help:"Add runs to the track record, and write it on the front page."`
}

// console is what every command gets: the App, and where to read and write.
type console struct {
	App
	getenv   func(string) string
	out, err io.Writer
	live     bool // err is a terminal
}

// Main runs the command line and returns the exit code.
func Main(a App) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c := &console{App: a, getenv: os.Getenv, out: os.Stdout, err: os.Stderr, live: isTerminal(os.Stderr)}
	code, err := c.dispatch(ctx, os.Args[1:])
	if err != nil && !errors.As(err, new(statusError)) {
		fmt.Fprintln(c.err, "chaos: "+check.OneLine(err.Error()))
	}
	return code
}

// helped carries the exit code of kong's --help out of its parser.
type helped int

func (c *console) dispatch(ctx context.Context, args []string) (code int, err error) {
	defer func() {
		if p := recover(); p != nil {
			h, ok := p.(helped)
			if !ok {
				panic(p)
			}
			code, err = int(h), nil
		}
	}()
	parser, err := kong.New(&commands{}, kong.Name("chaos"), kong.Writers(c.out, c.err), kong.Exit(func(c int) { panic(helped(c)) }),
		kong.Description("Does this service keep its promises while the things it depends on fail?"+
			"\n\n"+envDriver+"="+strings.Join(c.driverNames(), "|")+", "+envSeed+"=n (the same seed gives the same plan), "+
			envOut+"=folder for the reports."+
			"\n\nExit code: 0 all passed, 1 a claim failed or a corruption was missed, 2 usage, 3 inconclusive, 4 set-up failed."))
	if err != nil {
		return ExitSetup, err
	}
	k, err := parser.Parse(args)
	if err != nil {
		return ExitUsage, fmt.Errorf("%w (see: chaos --help)", err)
	}
	k.BindTo(ctx, (*context.Context)(nil))
	err = k.Run(c)
	return exitCode(err), err
}

// statusError ends a command whose outcome is not a pass; the command has already shown why.
type statusError int

func (e statusError) Error() string {
	return fmt.Sprintf("not everything passed (exit code %d)", int(e))
}

// statusOf is nil for ExitPass.
func statusOf(code int) error {
	if code == ExitPass {
		return nil
	}
	return statusError(code)
}

func exitCode(err error) int {
	var s statusError
	switch {
	case err == nil:
		return ExitPass
	case errors.As(err, &s):
		return int(s)
	case errors.Is(err, errUsage), errors.Is(err, harness.ErrScenario):
		return ExitUsage
	default:
		return ExitSetup
	}
}

// maxSeverity combines the exit codes of two scenarios.
func maxSeverity(a, b int) int {
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

type listCmd struct{}

func (listCmd) Run(c *console) error {
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	for _, s := range c.Catalogue {
		name := s.Name
		if s.Soak {
			name += " (soak)"
		}
		fmt.Fprintf(w, "%s\t%s\n", name, s.Claim)
	}
	return w.Flush()
}
