package check_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/sentinel-chaos/sentinel/harness/check"
)

// verdictCase alters a scripted history with a fault of that kind, and says what a check must make of it.
type verdictCase struct {
	name   string
	check  check.Check
	fault  string
	alter  func(h *history)
	want   check.Status
	reason string // part of the reason
}

// scriptedCases are all that alter a scripted history.
func scriptedCases() []verdictCase {
	return slices.Concat(availabilityCases(), assumptionCases(), healthCases(), samplingCases(), processCases(), gaugesCases(), staysZeroCases(),
		retryAfterCases(), rolloutCases())
}

func (c verdictCase) run() *check.Run {
	h := scripted(c.fault)
	c.alter(h)
	return h.run()
}

func TestVerdicts(t *testing.T) {
	for _, c := range scriptedCases() {
		t.Run(c.check.Name+"/"+c.name, func(t *testing.T) {
			v := c.check.Judge(c.run())
			if v.Status != c.want || !strings.Contains(v.Reason, c.reason) || v.Reason == "" {
				t.Errorf("%s: %s; want %s: ...%s...", v.Status, v.Reason, c.want, c.reason)
			}
			if v.Check != c.check.Name {
				t.Errorf("verdict of %q", v.Check)
			}
		})
	}
}

// told is a history and what a check must make of it.
type told struct {
	name  string
	check check.Check
	run   func() *check.Run
	want  check.Status
}

// histories are those of all tables of this package. A new check needs some in one of them.
func histories() (all []told) {
	for _, c := range scriptedCases() {
		all = append(all, told{c.name, c.check, c.run, c.want})
	}
	for _, c := range outageCases() {
		all = append(all, told{c.name, c.check, c.run, c.want})
	}
	for _, c := range slices.Concat(windowCases(), lateCases()) {
		all = append(all, told{c.name, c.check, c.run, c.want})
	}
	for _, c := range flatCases() {
		all = append(all, told{c.name, flat(), c.run, c.want})
	}
	for _, c := range leadershipCases() {
		all = append(all, told{c.name, c.check, c.run, c.want})
	}
	for _, c := range overloadCases() {
		all = append(all, told{c.name, c.check, c.run, c.want})
	}
	for _, c := range limitCases() {
		all = append(all, told{c.name, c.check(), c.run, c.want})
	}
	return all
}

// neverFail are the checks that only ever blame the run, so that no history fails them, and why.
var neverFail = map[string]string{
	"LoadKeptSchedule": "the load generator's lag is not the service's",
	"EvidenceComplete": "evidence that is not whole proves nothing",
	"FailedOver":       "a guard: that nobody took over makes the fault less than it should be",
	"HealthyBefore":    "a system that was not up before the load was not tested",
}

// TestEveryCheckPassesFailsAndIsUnknown: there are histories on which each check of the package passes, fails and is
// Unknown. A check that cannot fail would be worse than none.
func TestEveryCheckPassesFailsAndIsUnknown(t *testing.T) {
	seen := map[string]map[check.Status]bool{}
	for _, h := range histories() {
		v := h.check.Judge(h.run())
		if v.Status != h.want {
			t.Errorf("%s is %s and not %s: %s", v.Check, v.Status, h.want, v.Reason)
		}
		if seen[v.Check] == nil {
			seen[v.Check] = map[check.Status]bool{}
		}
		seen[v.Check][v.Status] = true
	}
	for _, name := range exportedChecks(t) {
		for _, s := range []check.Status{check.Pass, check.Fail, check.Unknown} {
			if neverFail[name] != "" && s == check.Fail {
				if seen[name][s] {
					t.Errorf("%s failed on some history, although %s", name, neverFail[name])
				}
				continue
			}
			if !seen[name][s] {
				t.Errorf("there is no history on which %s is %s", name, s)
			}
		}
	}
}

// TestCutShortProvesNothing: of a run that was cut short, absence proves nothing, so no check passes or fails it.
func TestCutShortProvesNothing(t *testing.T) {
	judged := map[string]bool{}
	for _, h := range histories() {
		if h.want == check.Unknown || judged[h.check.Name] {
			continue
		}
		judged[h.check.Name] = true
		run := h.run()
		run.Complete = false
		if v := h.check.Judge(run); v.Status != check.Unknown {
			t.Errorf("%s: %s: %s", v.Check, v.Status, v.Reason)
		}
	}
	if len(judged) == 0 {
		t.Error("nothing was judged")
	}
}

// exportedChecks are the names of the exported functions of the package that return a Check, but for New: its source says what there is.
func exportedChecks(t *testing.T) (names []string) {
	t.Helper()
	packages, err := parser.ParseDir(token.NewFileSet(), ".", func(f fs.FileInfo) bool { return !strings.HasSuffix(f.Name(), "_test.go") }, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range packages["check"].Files {
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv != nil || !f.Name.IsExported() || f.Name.Name == "New" || f.Type.Results == nil || len(f.Type.Results.List) != 1 {
				continue
			}
			if result, ok := f.Type.Results.List[0].Type.(*ast.Ident); ok && result.Name == "Check" {
				names = append(names, f.Name.Name)
			}
		}
	}
	slices.Sort(names)
	if len(names) < 20 {
		t.Fatalf("found only %v: the package has more", names)
	}
	return names
}
