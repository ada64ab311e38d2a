package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
)

// TestVerifyMutants breaks a patch in each way in which one can be unfit.
func TestVerifyMutants(t *testing.T) {
	const diff = "\n--- a/p/p.go\n+++ b/p/p.go\n@@ -1,3 +1,3 @@\n package p\n \n-const answer = 42\n+const answer = 41\n"
	patch := func(scenario, claim, diff string) string {
		return "Defect: it is wrong\nScenario: " + scenario + "\nCheck: " + claim + "\n" + diff
	}
	for _, c := range []struct{ name, file, text, want string }{
		{"good", "m.patch", patch("steady", "NothingDropped", diff), ""},
		{"blames an assumption", "m.patch", patch("steady", "NoUnplannedDeath", diff), ""},
		{"no such scenario", "m.patch", patch("stormy", "NothingDropped", diff), "there is no scenario stormy"},
		{"no such check", "m.patch", patch("steady", "OncePerKey", diff), "scenario steady has no check OncePerKey"},
		{"does not apply", "m.patch", patch("steady", "NothingDropped", strings.Replace(diff, "= 42", "= 43", 1)), "no longer applies"},
		{"does not compile", "m.patch", patch("steady", "NothingDropped", strings.Replace(diff, "= 41", "= fortyone", 1)), "does not compile"},
		{"no header", "m.patch", "Defect: it is wrong\n" + diff, "it needs the lines"},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			good := "scenarios/mutants/good.patch"
			for name, text := range map[string]string{"go.mod": "module example.com/m\n", "p/p.go": "package p\n\nconst answer = 42\n",
				good: patch("steady", "NothingDropped", diff), "scenarios/mutants/" + c.file: c.text} {
				path := filepath.Join(root, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			catalogue := []harness.Scenario{{Name: "steady", Expect: []check.Check{check.NothingDropped()}}}
			err := VerifyMutants(t.Context(), root, catalogue)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v; want ...%s...", err, c.want)
			}
		})
	}
}
