package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
)

// TestVerifyMutants breaks a mutant in each way in which one can be unfit.
func TestVerifyMutants(t *testing.T) {
	edit := section("p/p.go find", "const answer = 42") + section("p/p.go replace", "const answer = 41")
	text := func(scenario, claim, edit string) string {
		return "Defect: it is wrong\nScenario: " + scenario + "\nCheck: " + claim + "\n" + edit
	}
	for _, c := range []struct{ name, file, text, want string }{
		{"good", "m", text("steady", "NothingDropped", edit), ""},
		{"has the name of a scenario", "steady", text("steady", "NothingDropped", edit), "a scenario has that name"},
		{"blames an assumption", "m", text("steady", "NoUnplannedDeath", edit), ""},
		{"no such scenario", "m", text("stormy", "NothingDropped", edit), "there is no scenario stormy"},
		{"no such check", "m", text("steady", "OncePerKey", edit), "scenario steady has no check OncePerKey"},
		{"does not apply", "m", text("steady", "NothingDropped", strings.Replace(edit, "= 42", "= 43", 1)), "no longer applies"},
		{"does not compile", "m", text("steady", "NothingDropped", strings.Replace(edit, "= 41", "= fortyone", 1)), "does not compile"},
		{"no header", "m", "Defect: it is wrong\n" + edit, "it needs the lines"},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			good := "scenarios/mutants/good.mutant"
			for name, text := range map[string]string{"go.mod": "module example.com/m\n", "p/p.go": "package p\n\nconst answer = 42\n",
				good: text("steady", "NothingDropped", edit), "scenarios/mutants/" + c.file + ".mutant": c.text} {
				path := filepath.Join(root, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			app := App{Mutants: mutantsDir, Catalogue: []harness.Scenario{{Name: "steady", Expect: []check.Check{check.NothingDropped()}}}}
			err := VerifyMutants(t.Context(), root, t.TempDir(), app)
			wantError(t, err, c.want)
		})
	}
}
