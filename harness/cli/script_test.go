package cli

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/cli/clitest"
	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/fault"
	"github.com/sentinel-chaos/sentinel/harness/load"
)

// TestMain makes the test binary the chaos command of the scripts, over a catalogue that needs no stack.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"chaos": func() { os.Exit(Main(testApp())) }})
}

// mutantsDir is where the tests' modules, and this one, keep mutants.
const mutantsDir = "scenarios/mutants"

// testApp runs nothing: its driver finds an engine only if LAB says so, and its reports are empty pages.
func testApp() App {
	page := func(dir, name string) error { return os.WriteFile(filepath.Join(dir, name), nil, 0o644) }
	scenario := func(dir string) error { return page(dir, "report.html") }
	return App{
		Catalogue: testCatalogue(),
		Mutants:   mutantsDir,
		Out:       "reports/out",
		Drivers: []Driver{{Kind: lab("lab"), Clean: func(context.Context) error { return nil },
			Connect: func(_ context.Context, c Connection) (env.Driver, error) {
				if os.Getenv("LAB") == "" {
					return nil, errors.New("the lab is dark:\nswitch on the light")
				}
				c.Logf("removing what a run left behind")
				return lab("lab"), nil
			}}},
		Reports: Reports{Scenario: scenario, Run: func(dir string) (passed, all int, err error) {
			dirs, err := scenarioDirs(dir)
			for _, d := range dirs {
				err = errors.Join(err, scenario(d))
			}
			return 0, len(dirs), errors.Join(err, page(dir, "index.html"))
		}},
	}
}

func testCatalogue() []harness.Scenario {
	constant := load.Profile{Timeout: time.Second, Stages: []load.Stage{{Name: "steady", Shape: load.Constant(1, time.Second),
		Request: func(uint64, *rand.Rand) load.Request { return load.Request{} }}}}
	nothing := []check.Check{check.NothingDropped()}
	return []harness.Scenario{
		{Name: "steady", Claim: "Nothing is dropped.", System: oneNode{}, Load: constant, Expect: nothing},
		{Name: "stranger", Claim: "A node that is not there can be killed.", System: oneNode{}, Load: constant, Expect: nothing,
			Faults: fault.Plan{{Fault: fault.Kill(fault.Node("web-2"))}}},
		{Name: "panics", Claim: "Nobody panics.", System: oneNode{}, Load: constant, Expect: []check.Check{check.NoPanics()}},
		{Name: "empty-hands", Claim: "Nobody can tell.", Expect: []check.Check{{Name: "NobodyKnows",
			Of: func(*check.Run) check.Verdict { return check.Verdict{Reason: "no evidence of any kind"} }}}},
		{Name: "brown-out", Claim: "Nodes can be slow.", System: slowable{}, Load: constant, Expect: nothing},
	}
}

// oneNode is a system that cannot start.
type oneNode struct{}

func (oneNode) Start(context.Context, *env.Env) error { return env.ErrNotYet }

func (oneNode) Roster() []env.Spec { return []env.Spec{{Name: "web-1", Role: "web"}} }

// slowable is a system that needs what the driver of these tests cannot do.
type slowable struct{ oneNode }

func (slowable) Needs() []env.Ability { return []env.Ability{env.Latency} }

// TestScripts runs the command line as its users do. The command exits takes the exit code and then a command.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": clitest.Exits,
		},
	})
}
