package reports

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// mutantsRun has a mutant of every outcome, and controls that passed, that proved nothing, and that were not run.
func mutantsRun(t *testing.T) string {
	dir := t.TempDir()
	writeSession(t, dir, evidence.Session{Run: "golden", Started: epoch(), Seed: 7, Driver: "local"})
	unproven := judged(check.Pass, killed(false))
	other := judged(check.Pass, killed(true))
	other.Checks[1].Status = check.Fail
	runs := map[string]*check.Judgement{"steady": judged(check.Pass, killed(true)), "caught": judged(check.Fail, killed(true)), "elsewhere": new(other.Conclude()),
		"open": unproven, "lives": judged(check.Pass, killed(true)), "weak": unproven, "doubted": judged(check.Fail, killed(true))}
	judgements := map[string]check.Judgement{"lost": {Reason: "set-up failed: no disk"}}
	for name, j := range runs {
		handMade(name, j).write(t, filepath.Join(dir, name))
		judgements[name] = *j
	}
	mutant := func(name, class, scenario string) check.Mutant {
		return check.Mutant{Name: name, Class: class, Defect: name + " is wrong", Scenario: scenario, Check: "NothingDropped"}
	}
	m := check.NewMatrix([]check.Mutant{mutant("caught", "bounds", "steady"), mutant("elsewhere", "bounds", "steady"), mutant("lives", "", "steady"),
		mutant("open", "time", "steady"), mutant("lost", "time", "steady"), mutant("doubted", "time", "weak"), mutant("never", "time", "unbegun")}, judgements)
	must(t, evidence.WriteJSON(filepath.Join(dir, evidence.MutantsFile), m))
	return dir
}

func mutantsIndexOf(t *testing.T, dir string) []byte {
	t.Helper()
	_, err := Render(dir, sampleOptions())
	must(t, err)
	b, err := os.ReadFile(filepath.Join(dir, indexFile))
	must(t, err)
	return b
}

func TestGoldenMutants(t *testing.T) {
	got, path := withoutLook(mutantsIndexOf(t, mutantsRun(t))), filepath.Join("testdata", "golden", "mutants.html")
	if *update {
		must(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("differs from %s; run with -update and look at the difference\n%s", path, got)
	}
}

// TestMutantsCells: each cell of the matrix says what the check found in that run, and which one must fail.
func TestMutantsCells(t *testing.T) {
	page := mutantsIndexOf(t, mutantsRun(t))
	for name, want := range map[string]string{
		"without a defect": "pass pass pass pass",
		"caught":           "pass fail named pass pass",
		"elsewhere":        "pass pass named fail pass",
		"lost":             "skipped skipped named skipped skipped",
	} {
		row := regexp.MustCompile(`<th scope="row">(?:<a [^>]*>)?` + name + `<.*`).Find(page)
		var got []byte
		for _, cell := range regexp.MustCompile(`class="cell ([a-z ]+)"`).FindAllSubmatch(row, -1) {
			got = append(append(got, ' '), cell[1]...)
		}
		if string(bytes.TrimSpace(got)) != want {
			t.Errorf("%s: %s, want %s", name, bytes.TrimSpace(got), want)
		}
	}
}

// TestMutantsRunHasNoResults: in files for machines a mutant that was caught would be a scenario that failed.
func TestMutantsRunHasNoResults(t *testing.T) {
	dir := mutantsRun(t)
	page := mutantsIndexOf(t, dir)
	for _, name := range []string{resultsFile, junitFile, summaryFile} {
		if exists(filepath.Join(dir, name)) {
			t.Errorf("%s was written", name)
		}
	}
	for _, m := range regexp.MustCompile(`<a href="([^"]+)"`).FindAllSubmatch(page, -1) {
		if !exists(filepath.Join(dir, string(m[1]))) {
			t.Errorf("the matrix links to %s, which is not there", m[1])
		}
	}
	if regexp.MustCompile(`<script|(src|href)="(https?:)?//`).Match(page) {
		t.Error("the matrix has a script, or asks the network")
	}
}

func TestHostileMutantStaysText(t *testing.T) {
	dir := t.TempDir()
	writeSession(t, dir, evidence.Session{Run: hostile, Started: epoch(), Driver: hostile})
	v := check.Verdict{Check: hostile, Status: check.Fail, Reason: hostile}
	m := check.NewMatrix([]check.Mutant{{Name: hostile, Class: hostile, Defect: hostile, Scenario: hostile + "!", Check: hostile}},
		map[string]check.Judgement{hostile: {Reason: hostile, Checks: []check.Verdict{v}}, hostile + "!": {Reason: hostile}})
	must(t, evidence.WriteJSON(filepath.Join(dir, evidence.MutantsFile), m))
	page := mutantsIndexOf(t, dir)
	for _, bad := range []string{"<script>alert", "<img", "href=\"javascript"} {
		if bytes.Contains(page, []byte(bad)) {
			t.Errorf("the matrix holds %s", bad)
		}
	}
}

// TestEmptyMutantsRun: of a run that was killed before it began, the matrix is a page all the same, and proves nothing.
func TestEmptyMutantsRun(t *testing.T) {
	dir := t.TempDir()
	writeSession(t, dir, evidence.Session{Run: "empty", Started: epoch()})
	must(t, evidence.WriteJSON(filepath.Join(dir, evidence.MutantsFile), check.NewMatrix(nil, nil)))
	page := mutantsIndexOf(t, dir)
	if !bytes.Contains(page, []byte("no mutant in this run")) || bytes.Contains(page, []byte("PASS")) {
		t.Errorf("%s", page)
	}
}
