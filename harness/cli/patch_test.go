package cli

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sentinel-chaos/sentinel/harness/check"
)

const (
	header = "Defect: it is wrong\nClass: content\nScenario: steady\nCheck: NothingDropped\nWhy: because\nof this: it is\n\n"
	source = "package p\n\nfunc f() {\n\tone()\n\ttwo()\n\tone()\n}\n\nfunc g() {}\n"
)

// section is a section of a mutant's file.
func section(name string, lines ...string) string {
	text := "-- " + name + " --\n"
	for _, line := range lines {
		text += line + "\n"
	}
	return text
}

// TestParseMutant breaks the form of a mutant's file in each way in which it can be broken.
func TestParseMutant(t *testing.T) {
	find, replace := section("p/p.go find", "\ttwo()"), section("p/p.go replace", "\tthree()")
	for _, c := range []struct{ name, text, want string }{
		{"good", header + find + replace, ""},
		{"no class", strings.Replace(header, "Class: content\n", "", 1) + find + replace, ""},
		{"deletes", header + find + section("p/p.go replace"), ""},
		{"two edits", header + find + replace + section("p/q.go find", "x") + section("p/q.go replace", "y"), ""},
		{"no check", "Defect: it is wrong\nScenario: steady\n" + find + replace, "it needs the lines"},
		{"empty check", strings.Replace(header, "NothingDropped", "", 1) + find + replace, "it needs the lines"},
		{"unknown field", "Defects: it is wrong\n" + header + find + replace, "the field Defects: is none of"},
		{"class twice", header + "Class: bounds\n" + find + replace, "Class: twice"},
		{"field twice", header + "Check: CleanExit\n" + find + replace, "Check: twice"},
		{"no field", "This is wrong.\n" + header + find + replace, "before any field"},
		{"no section", header, "it edits nothing"},
		{"find alone", header + find, "after -- p/p.go find -- must come -- p/p.go replace --"},
		{"find twice", header + find + find + replace, "after -- p/p.go find -- must come -- p/p.go replace --"},
		{"replace alone", header + replace, "stands -- p/p.go replace --"},
		{"replace twice", header + find + replace + replace, "stands -- p/p.go replace --"},
		{"replaces in another file", header + find + section("p/q.go replace", "x"), "must come -- p/p.go replace --"},
		{"other section", header + find + replace + section("README.md", "x"), "stands -- README.md --"},
		{"outside of the module", header + section("../p.go find", "x") + section("../p.go replace", "y"), "inside of the module"},
		{"absolute path", header + section("/p.go find", "x") + section("/p.go replace", "y"), "inside of the module"},
		{"finds nothing", header + section("p/p.go find", "") + replace, "is empty"},
		{"changes nothing", header + find + section("p/p.go replace", "\ttwo()"), "changes nothing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := parseMutant("bad", []byte(c.text))
			wantError(t, err, c.want)
		})
	}
}

// TestMutantFields: what a mutant's header says is what the mutant is.
func TestMutantFields(t *testing.T) {
	m, err := parseMutant("shaky", []byte(header+section("p.go find", "x")+section("p.go replace")))
	if err != nil {
		t.Fatal(err)
	}
	if want := (check.Mutant{Name: "shaky", Class: "content", Defect: "it is wrong", Scenario: "steady", Check: "NothingDropped"}); m.Mutant != want {
		t.Errorf("%+v, want %+v", m.Mutant, want)
	}
}

// TestPatched makes edits, or finds that they can not be made.
func TestPatched(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "p.go"), []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	edits := func(blocks ...string) string {
		text := header
		for i := 0; i < len(blocks); i += 2 {
			text += section("p.go find", blocks[i]) + "-- p.go replace --\n" + blocks[i+1]
		}
		return text
	}
	for _, c := range []struct{ name, text, want, err string }{
		{"one line", edits("\ttwo()", "\tthree()\n"), strings.Replace(source, "two", "three", 1), ""},
		{"deleted", edits("\ttwo()", ""), strings.Replace(source, "\ttwo()\n", "", 1), ""},
		{"first line", edits("package p", "package q\n"), strings.Replace(source, "package p", "package q", 1), ""},
		{"last line", edits("func g() {}", ""), strings.Replace(source, "func g() {}\n", "", 1), ""},
		{"blank lines", edits("}\n", "}\n"), strings.Replace(source, "}\n\n", "}\n", 1), ""},
		{"in their order", edits("\ttwo()", "\tthree()\n", "\tthree()", "\tfour()\n"), strings.Replace(source, "two", "four", 1), ""},
		{"told apart by its neighbour", edits("\ttwo()\n\tone()", "\ttwo()\n"), strings.Replace(source, "\ttwo()\n\tone()\n", "\ttwo()\n", 1), ""},
		{"ambiguous", edits("\tone()", "\tthree()\n"), "", "it is ambiguous: p.go has these lines more than once"},
		{"gone", edits("\tfive()", ""), "", "it no longer applies: p.go does not have these lines"},
		{"gone by an earlier edit", edits("\ttwo()", "", "\ttwo()", "\tthree()\n"), "", "it no longer applies"},
		{"made ambiguous by an earlier edit", edits("\ttwo()", "func g() {}\n", "func g() {}", ""), "", "it is ambiguous"},
		{"spaces for a tab", edits("    two()", ""), "", "it no longer applies"},
		{"part of a line", edits("two()", ""), "", "it no longer applies"},
		{"no such file", header + section("q.go find", "x") + section("q.go replace"), "", "q.go: no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := parseMutant("shaky", []byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			texts, err := m.patched(root)
			wantError(t, err, c.err)
			if c.err != "" && (err == nil || !strings.Contains(err.Error(), "bad mutant shaky")) {
				t.Errorf("%v does not name the mutant", err)
			}
			if texts["p.go"] != c.want {
				t.Errorf("%q; want %q", texts["p.go"], c.want)
			}
		})
	}
}

// Overlapping occurrences are more than one.
func TestApplyOverlap(t *testing.T) {
	_, err := edit{file: "p.go", find: "x\nx\n"}.apply("x\nx\nx\n")
	wantError(t, err, "it is ambiguous")
}

// TestShippedMutants makes the edits of every mutant that is kept, and parses what comes of them. That it compiles, and names
// a scenario and a check that exist, is tested beside the catalogue: see VerifyMutants.
func TestShippedMutants(t *testing.T) {
	root := filepath.Join("..", "..")
	for _, m := range shippedMutants(t, root) {
		texts, err := m.patched(root)
		if err != nil {
			t.Error(err)
		}
		for file, text := range texts {
			if filepath.Ext(file) != ".go" {
				continue
			}
			if _, err := parser.ParseFile(token.NewFileSet(), file, text, parser.SkipObjectResolution); err != nil {
				t.Errorf("%s: %v", m.Name, err)
			}
		}
	}
}

// TestShippedClasses: each mutant that is kept names one of the classes in the table of their README.
func TestShippedClasses(t *testing.T) {
	root := filepath.Join("..", "..")
	readme, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(mutantsDir), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	classes := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|").FindAllSubmatch(readme, -1) {
		classes[string(row[1])] = true
	}
	for _, m := range shippedMutants(t, root) {
		if !classes[m.Class] {
			t.Errorf("%s has the class %q, which %s/README.md does not list", m.Name, m.Class, mutantsDir)
		}
	}
}

func shippedMutants(t *testing.T, root string) []mutant {
	t.Helper()
	mutants, err := readMutants(filepath.Join(root, filepath.FromSlash(mutantsDir)))
	if err != nil {
		t.Fatal(err)
	}
	if len(mutants) == 0 {
		t.Fatalf("no mutant in %s", mutantsDir)
	}
	return mutants
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("%v; want ...%s...", err, want)
	}
}
