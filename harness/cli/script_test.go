package cli

import (
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// TestMain makes the test binary the chaos command of the scripts, over a catalogue that needs no stack.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"chaos": func() { os.Exit(Main(testCatalogue())) }})
}

func testCatalogue() []harness.Scenario {
	return []harness.Scenario{
		{Name: "steady", Claim: "Nothing is dropped.", Expect: []check.Check{check.NothingDropped()}},
		{Name: "empty-hands", Claim: "Nobody can tell.", Expect: []check.Check{{Name: "NobodyKnows",
			Of: func(*evidence.Run) check.Verdict { return check.Verdict{Reason: "no evidence of any kind"} }}}},
	}
}

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
