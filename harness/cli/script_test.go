package cli

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/fault"
	"github.com/sentinel-chaos/sentinel/harness/load"
)

// TestMain makes the test binary the chaos command of the scripts, over a catalogue that needs no stack.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"chaos": func() { os.Exit(Main(testCatalogue())) }})
}

func testCatalogue() []harness.Scenario {
	constant := load.Profile{Stages: []load.Stage{{Name: "steady", Shape: load.Constant(1, time.Second)}}}
	nothing := []check.Check{check.NothingDropped()}
	return []harness.Scenario{
		{Name: "steady", Claim: "Nothing is dropped.", System: oneNode{}, Load: constant, Expect: nothing},
		{Name: "stranger", Claim: "A node that is not there can be killed.", System: oneNode{}, Load: constant, Expect: nothing,
			Faults: fault.Plan{{Fault: fault.Kill("gateway-2")}}},
		{Name: "empty-hands", Claim: "Nobody can tell.", Expect: []check.Check{{Name: "NobodyKnows",
			Of: func(*evidence.Run) check.Verdict { return check.Verdict{Reason: "no evidence of any kind"} }}}},
	}
}

// oneNode is a system that cannot start.
type oneNode struct{}

func (oneNode) Start(context.Context, *env.Env) error { return env.ErrNotYet }

func (oneNode) Roster() []env.Spec { return []env.Spec{{Name: "gateway-1", Role: "gateway"}} }

// TestScripts runs the command line as its users do. The command exits takes the exit code and then a command.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits,
		},
	})
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits code command [args]")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if e, ok := err.(*exec.ExitError); ok {
		code = e.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if args[0] != strconv.Itoa(code) {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}
