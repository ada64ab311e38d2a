// Package checktest proves of the checks of a package that each of them can pass, fail and say Unknown: on histories, which are runs
// that were built by hand, and on the same runs as they are on disk. A check that cannot fail would be worse than none.
package checktest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// History is a run, and what a check must make of it.
type History struct {
	Name   string
	Check  check.Check
	Run    func() *check.Run
	Want   check.Status
	Reason string // part of the verdict's
}

// Suite is what there is to prove the checks of a package by.
type Suite struct {
	Histories []History
	// NeverFail are the checks that only ever blame the run, so that no history fails them, and why.
	NeverFail map[string]string
	// Sources are the folders of the packages whose exported functions return checks, and how many of these each has at least, so that
	// none is overlooked.
	Sources map[string]int
	// Kinds are those of the system's own, in the order in which saved histories are shortened.
	Kinds []Kind
	// Judged makes a saved run ready to be judged, given the faults that were confirmed before it was saved. Nil takes these.
	Judged func(run *evidence.Run, saved []check.Fault) *check.Run
	Update bool // writes the saved histories anew
}

// Verdicts judges every history.
func (s Suite) Verdicts(t *testing.T) {
	for _, h := range s.Histories {
		t.Run(h.Check.Name+"/"+h.Name, func(t *testing.T) {
			v := h.Check.Judge(h.Run())
			if v.Status != h.Want || !strings.Contains(v.Reason, h.Reason) || v.Reason == "" {
				t.Errorf("%s: %s; want %s: ...%s...", v.Status, v.Reason, h.Want, h.Reason)
			}
			if v.Check != h.Check.Name {
				t.Errorf("verdict of %q", v.Check)
			}
		})
	}
}

// EveryCheckIsSeen to pass, to fail and to be Unknown on some history.
func (s Suite) EveryCheckIsSeen(t *testing.T) {
	seen := map[string]map[check.Status]bool{}
	for _, h := range s.Histories {
		v := h.Check.Judge(h.Run())
		if seen[v.Check] == nil {
			seen[v.Check] = map[check.Status]bool{}
		}
		seen[v.Check][v.Status] = true
	}
	for _, name := range s.checks(t) {
		for _, status := range []check.Status{check.Pass, check.Fail, check.Unknown} {
			never := status == check.Fail && s.NeverFail[name] != ""
			switch {
			case never && seen[name][status]:
				t.Errorf("%s failed on some history, although %s", name, s.NeverFail[name])
			case !never && !seen[name][status]:
				t.Errorf("there is no history on which %s is %s", name, status)
			}
		}
	}
}

// CutShortProvesNothing: of a run that was cut short, absence proves nothing, so no check passes or fails it.
func (s Suite) CutShortProvesNothing(t *testing.T) {
	judged := map[string]bool{}
	for _, h := range s.Histories {
		if h.Want == check.Unknown || judged[h.Check.Name] {
			continue
		}
		judged[h.Check.Name] = true
		run := h.Run()
		run.Complete = false
		if v := h.Check.Judge(run); v.Status != check.Unknown {
			t.Errorf("%s: %s: %s", v.Check, v.Status, v.Reason)
		}
	}
	if len(judged) == 0 {
		t.Error("nothing was judged")
	}
}

// checks are the names of the exported functions that return a check: the sources say what there is.
func (s Suite) checks(t *testing.T) (names []string) {
	t.Helper()
	for dir, least := range s.Sources {
		packages, err := parser.ParseDir(token.NewFileSet(), dir, func(f fs.FileInfo) bool { return !strings.HasSuffix(f.Name(), "_test.go") }, 0)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, p := range packages {
			for _, file := range p.Files {
				for _, d := range file.Decls {
					if name, ok := checkOf(d); ok {
						names = append(names, name)
						found++
					}
				}
			}
		}
		if found < least {
			t.Fatalf("found only %d checks in %s: there are more", found, dir)
		}
	}
	slices.Sort(names)
	return names
}

// checkOf is the name of an exported function that returns a check, but for those that make them.
func checkOf(d ast.Decl) (name string, ok bool) {
	f, ok := d.(*ast.FuncDecl)
	if !ok || f.Recv != nil || !f.Name.IsExported() || slices.Contains([]string{"New", "NewTimed"}, f.Name.Name) || f.Type.Results == nil || len(f.Type.Results.List) != 1 {
		return "", false
	}
	switch result := f.Type.Results.List[0].Type.(type) {
	case *ast.Ident:
		return f.Name.Name, result.Name == "Check"
	case *ast.SelectorExpr:
		return f.Name.Name, result.Sel.Name == "Check"
	}
	return "", false
}
