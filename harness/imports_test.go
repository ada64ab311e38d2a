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

// The packages of harness/ without the command line, and what observes and breaks a system.
var (
	core   = []string{"harness", "harness/evidence", "harness/env", "harness/check", "harness/corrupt", "harness/load", "harness/fault", "harness/probe"}
	breaks = []string{"harness/evidence", "harness/env", "harness/check", "harness/corrupt", "harness/load", "harness/fault", "harness/probe"}
)

// allowed says which packages of this module a package may import. The longest prefix that matches decides. A name that ends in /...
// stands for a whole tree.
var allowed = map[string][]string{
	"service":                 {"service/..."},
	"harness/evidence":        {},
	"harness/env":             {"harness/env/..."},
	"harness/internal/panics": {},
	"harness/check":           {"harness/evidence"},
	"harness/check/checktest": {"harness/check", "harness/evidence"},
	"harness/corrupt":         {"harness/evidence"},
	"harness/load":            {"harness/evidence", "harness/internal/panics"},
	"harness/probe":           {"harness/env", "harness/evidence", "harness/internal/panics"},
	"harness/fault":           {"harness/env", "harness/evidence", "harness/probe", "harness/internal/panics"},
	"harness":                 slices.Concat(breaks, []string{"harness/internal/panics"}),
	"harness/cli":             slices.Concat(core, []string{"harness/env/..."}),
	"harness/cli/clitest":     {},
	"harness/cmd/chaos":       slices.Concat(core, []string{"harness/cli/...", "harness/cmd/chaos/...", "scenarios", "examples/...", "fixtures/...", "reports"}),
	"reports":                 {"harness/evidence", "harness/check"},
	"fixtures/docker":         {"harness/env/...", "fixtures/docker/...", "fixtures/images"},
	"fixtures/images":         {"fixtures/docker/engine", "fixtures/docker/flock"},
	"fixtures/drivertest":     {"harness/env/...", "fixtures/drivertest/..."},
	"fixtures/stores":         slices.Concat(breaks, []string{"fixtures/stores/...", "fixtures/internal/node"}),
	"fixtures/haproxy":        slices.Concat(breaks, []string{"fixtures/internal/node"}),
	"fixtures/upstream":       slices.Concat(breaks, []string{"fixtures/upstream/...", "fixtures/internal/node"}),
	"fixtures/internal":       slices.Concat(breaks, []string{"fixtures/internal/..."}),
	"fixtures/gateway":        slices.Concat(breaks, []string{"fixtures/gateway/...", "fixtures/stores/...", "fixtures/haproxy", "fixtures/upstream", "fixtures/internal/node"}),
	"fixtures/gateway/pages":  {"harness/evidence", "fixtures/gateway/...", "fixtures/haproxy", "fixtures/upstream", "reports"},
	"fixtures/gateway/record": {"harness/evidence", "fixtures/upstream"},
	"scenarios":               slices.Concat(core, []string{"examples/...", "fixtures/..."}),
	"examples":                slices.Concat(core, []string{"fixtures/...", "examples/..."}),
}

// allowedToo says what the tests of a package may import beside that.
var allowedToo = map[string][]string{
	"harness/check":     {"harness/check/checktest"},
	"harness/cli":       {"harness/cli/clitest"},
	"fixtures/docker":   slices.Concat(breaks, []string{"fixtures/drivertest"}),
	"fixtures/images":   {"harness/env/..."},
	"fixtures/stores":   {"fixtures/internal/nodetest"},
	"fixtures/haproxy":  {"fixtures/internal/nodetest"},
	"fixtures/upstream": {"fixtures/internal/nodetest"},
	"fixtures/gateway":  {"harness", "harness/check/checktest", "fixtures/internal/nodetest"},
	"scenarios":         {"harness/cli", "harness/cmd/..."},
}

// TestImports keeps the direction of the design: evidence at the bottom, one orchestrator, the service a black box.
func TestImports(t *testing.T) {
	for _, p := range listPackages(t) {
		rule, ok := ruleFor(allowed, p.ImportPath)
		if !ok {
			t.Errorf("%s: no rule in the import table; add one that says what it may depend on", p.ImportPath)
			continue
		}
		too, _ := ruleFor(allowedToo, p.ImportPath)
		judgeImports(t, p.ImportPath, p.Imports, rule)
		judgeImports(t, p.ImportPath, slices.Concat(p.TestImports, p.XTestImports), slices.Concat(rule, too))
	}
}

func judgeImports(t *testing.T, by string, imports, rule []string) {
	t.Helper()
	for _, imp := range imports {
		if own, inside := strings.CutPrefix(imp, module); inside && imp != by && !permitted(own, rule) {
			t.Errorf("%s imports %s, which the import table does not allow", by, own)
		}
		if strings.HasPrefix(imp, "github.com/tsenart/vegeta") && !vegetaMayBeImported(by, imp) {
			t.Errorf("%s imports %s: only harness/load drives vegeta", by, imp)
		}
	}
}

func vegetaMayBeImported(by, imp string) bool {
	// reports takes only the offline chart library that vegeta carries.
	return by == module+"harness/load" || by == module+"reports" && strings.HasSuffix(imp, "/lib/plot")
}

func permitted(own string, rule []string) bool {
	return slices.ContainsFunc(rule, func(may string) bool {
		tree, whole := strings.CutSuffix(may, "/...")
		return own == may || whole && (own == tree || strings.HasPrefix(own, tree+"/"))
	})
}

func ruleFor(table map[string][]string, path string) ([]string, bool) {
	own := strings.TrimPrefix(path, module)
	for {
		if r, ok := table[own]; ok {
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
