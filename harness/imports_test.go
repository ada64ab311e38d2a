package harness_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/sentinel-chaos/sentinel/"

// allowed says which packages of this module a package may import. The longest prefix that matches decides.
var allowed = map[string][]string{
	"service":          {"service"},
	"harness/evidence": {},
	"harness/env":      {},
	"harness/guard":    {},
	"harness/check":    {"harness/evidence"},
	"harness/load":     {"harness/evidence", "harness/guard"},
	"harness/fault":    {"harness/env", "harness/evidence", "harness/check", "harness/guard"},
	"harness/probe":    {"harness/env", "harness/evidence", "harness/check", "harness/guard"},
	"harness": {"harness/evidence", "harness/env", "harness/check", "harness/load", "harness/fault", "harness/probe",
		"harness/guard"},
	"fixtures": {"harness/evidence", "harness/env", "harness/check", "harness/load", "harness/fault", "harness/probe",
		"harness/guard", "fixtures"},
	"reports": {"harness/evidence", "harness/check"},
	"harness/cli": {"harness", "harness/evidence", "harness/env", "harness/check", "harness/load", "harness/fault",
		"harness/probe", "fixtures", "reports"},
	"scenarios": {"harness", "harness/evidence", "harness/env", "harness/check", "harness/load", "harness/fault",
		"harness/probe", "harness/cli", "fixtures"},
	"harness/cmd/chaos": {"harness/cli", "scenarios"},
}

// TestImports keeps the direction of the design: evidence at the bottom, one orchestrator, the service a black box.
func TestImports(t *testing.T) {
	for _, p := range listPackages(t) {
		rule, ok := ruleFor(p.ImportPath)
		if !ok {
			t.Errorf("%s: no rule in the import table; add one that says what it may depend on", p.ImportPath)
			continue
		}
		for _, imp := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			own, inside := strings.CutPrefix(imp, module)
			if inside && imp != p.ImportPath && !permitted(own, rule) {
				t.Errorf("%s imports %s, which the import table does not allow", p.ImportPath, own)
			}
			if strings.HasPrefix(imp, "github.com/tsenart/vegeta") && !vegetaMayBeImported(p.ImportPath, imp) {
				t.Errorf("%s imports %s: only harness/load drives vegeta", p.ImportPath, imp)
			}
		}
	}
}

func vegetaMayBeImported(by, imp string) bool {
	// reports takes only the offline chart library that vegeta carries.
	return by == module+"harness/load" || by == module+"reports" && strings.HasSuffix(imp, "/lib/plot")
}

// permitted: "fixtures" and "service" stand for whole trees; everything else is one package.
func permitted(own string, rule []string) bool {
	tree, _, _ := strings.Cut(own, "/")
	return slices.Contains(rule, own) || (tree == "fixtures" || tree == "service") && slices.Contains(rule, tree)
}

func ruleFor(path string) ([]string, bool) {
	own := strings.TrimPrefix(path, module)
	for {
		if r, ok := allowed[own]; ok {
			return r, true
		}
		i := strings.LastIndex(own, "/")
		if i < 0 {
			return nil, false
		}
		own = own[:i]
	}
}

type goPackage struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var ps []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		ps = append(ps, p)
	}
	if len(ps) < 10 {
		t.Fatalf("go list found %d packages only", len(ps))
	}
	return ps
}
