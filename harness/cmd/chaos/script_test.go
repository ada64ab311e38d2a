package main

import (
	"cmp"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/cli"
	"github.com/sentinel-chaos/sentinel/harness/cli/clitest"
	"github.com/sentinel-chaos/sentinel/harness/cmd/chaos/wiring"
	"github.com/sentinel-chaos/sentinel/harness/corrupt"
	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/load"
)

// TestMain makes the test binary the chaos command of the scripts, with this repository's drivers and reports, over a catalogue
// that needs no stack.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"chaos": func() { os.Exit(cli.Main(wiring.App(testCatalogue()))) }})
}

func testCatalogue() []harness.Scenario {
	constant := load.Profile{Timeout: time.Second, Stages: []load.Stage{{Name: "steady", Shape: load.Constant(1, time.Second),
		Request: func(uint64, *rand.Rand) load.Request { return load.Request{} }}}}
	return []harness.Scenario{
		{Name: "steady", Claim: "Nothing is dropped.", System: nothing{}, Load: constant, Expect: []check.Check{check.NothingDropped()}},
		{Name: "panics", Claim: "Nobody panics.", System: nothing{}, Load: constant, Expect: []check.Check{check.NoPanics()}},
		{Name: "excused", Claim: "Nothing is dropped.", System: excused{}, Load: constant, Expect: []check.Check{check.NothingDropped()}},
	}
}

// nothing is a system that cannot start.
type nothing struct{}

func (nothing) Start(context.Context, *env.Env) error { return env.ErrNotYet }

// excused is a system whose records nobody need look at closely.
type excused struct{ nothing }

func (excused) Exemptions() []corrupt.Exemption {
	return []corrupt.Exemption{
		{Kind: tunes.Name(), What: []string{"name", corrupt.Deleted, corrupt.Doubled}, Why: "nobody listens"},
		{Kind: evidence.Requests.Name(), What: []string{"id", "user", "key", "conns", "status", "end_ns"}, Why: "nobody compares"},
		{Kind: evidence.Nodes.Name(), What: []string{corrupt.Doubled}, Why: "nobody counts"},
	}
}

// tune is a record that no check reads.
type tune struct {
	Name string `json:"name"`
}

var tunes = evidence.NewKind("tunes", func(a, b *tune) int { return cmp.Compare(a.Name, b.Name) })

// TestScripts runs the command as its users do, on saved evidence. The command exits takes the exit code and then a command.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":  clitest.Exits,
			"record": record,
		},
	})
}

// record writes the evidence of a scenario into a folder: of a node that answered one request, that dropped it, or that panicked, or
// that answered the warm-up wrongly, or of a harness that was killed while it wrote.
func record(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: record folder scenario answers|drops|panics|warms-up-wrongly|cut")
	}
	rec, err := evidence.NewRecorder(ts.MkAbs(args[0]), time.Unix(1_700_000_000, 0))
	ts.Check(err)
	ts.Check(rec.WritePlan(evidence.Plan{Scenario: args[1], Claim: "Something.", Seed: 7, Load: []evidence.Stage{{Requests: 1}}}))
	const from, to = 10 * time.Second, 11 * time.Second
	evidence.Nodes.Put(rec, evidence.Node{Name: "web-1", Role: "web", Subject: true})
	evidence.Windows.Put(rec, evidence.Window{Name: evidence.PhaseBaseline, From: from - time.Second, To: from})
	evidence.Windows.Put(rec, evidence.Window{Name: evidence.PhaseLoad, From: from, To: to})
	evidence.Windows.Put(rec, evidence.Window{Name: evidence.PhaseCollect, From: to, To: to})
	evidence.Observations.Put(rec, evidence.Observation{At: time.Second, Source: evidence.SourceReady, Node: "web-1", What: evidence.SawUp})
	for _, probe := range []string{evidence.ProbeExits, evidence.ProbeLogs} {
		evidence.Observations.Put(rec, evidence.Observation{At: to, Source: evidence.SourceProbe, Node: probe, What: evidence.ProbeCollected})
	}
	evidence.Samples.Put(rec, evidence.Sample{At: from, Node: "web-1"})
	evidence.Clocks.Put(rec, evidence.Clock{At: from, Node: evidence.ClockHarness})
	request := evidence.Request{ID: "r-0", Due: from, Sent: from, End: from + time.Millisecond, Status: 200, Outcome: evidence.OK}
	if args[2] == "drops" {
		request.Status, request.Outcome, request.Reason = 500, evidence.Failed, "status"
	}
	evidence.Requests.Put(rec, request)
	tunes.Put(rec, tune{"greensleeves"})
	switch args[2] {
	case "panics":
		evidence.LogDefects.Put(rec, evidence.LogDefect{Node: "web-1", Line: 3, What: evidence.LogPanic, Text: "panic: oops\n\ngoroutine 1"})
	case "warms-up-wrongly":
		evidence.Warmup.Put(rec, evidence.Request{ID: "warm-r-0", Stage: "fill", Due: time.Second, Sent: time.Second, End: 2 * time.Second, Conns: 1, Status: 200,
			Outcome: evidence.Failed, Reason: "malformed"})
	}
	ts.Check(rec.Close())
	if args[2] == "cut" {
		dir := filepath.Join(ts.MkAbs(args[0]), "evidence")
		ts.Check(os.Remove(filepath.Join(dir, "manifest.json")))
		ts.Check(os.Truncate(filepath.Join(dir, "requests.ndjson"), 20))
	}
}
