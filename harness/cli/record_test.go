package cli

import (
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
)

// TestFrontPage: the front page says what the track record does, and that names no mutant that is there no more.
func TestFrontPage(t *testing.T) {
	root := filepath.Join("..", "..")
	r, err := readRecord(root)
	if err != nil {
		t.Fatal(err)
	}
	known := shippedMutants(t, root)
	for _, m := range r.Mutants {
		if place(known, m.Name) < 0 {
			t.Errorf("%s has the mutant %s, which is there no more: run `chaos record`", recordFile, m.Name)
		}
	}
	is, err := os.ReadFile(filepath.Join(root, frontPage))
	if err != nil {
		t.Fatal(err)
	}
	want, err := withRecord(root, r.block(known))
	if err != nil {
		t.Fatal(err)
	}
	if string(is) != want {
		t.Errorf("%s does not have the track record as it is: run `chaos record`", frontPage)
	}
}

// The bounds are those of tables of Clopper and Pearson.
func TestMostLikely(t *testing.T) {
	for _, c := range []struct {
		seen, trials int
		want         float64
	}{{0, 30, 0.0950}, {0, 300, 0.00994}, {1, 10, 0.3942}, {2, 50, 0.1206}, {5, 1000, 0.01049}, {10, 10, 1}, {0, 0, 1}} {
		if got := mostLikely(c.seen, c.trials); math.Abs(got-c.want) > 0.0001 {
			t.Errorf("%d of %d: %.5f, want %.5f", c.seen, c.trials, got, c.want)
		}
	}
}

// What is known of a mutant is what its newest run showed, in whichever order the runs are recorded.
func TestNewestOutcomeCounts(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC) }
	var r trackRecord
	for _, m := range []recordedMutant{{"b", check.MutantCaught, "2", day(2)}, {"b", check.MutantSurvived, "1", day(1)}, {"a", check.MutantSurvived, "1", day(1)},
		{"a", check.MutantCaughtOther, "3", day(3)}, {"gone", check.MutantCaught, "1", day(1)}} {
		r.putMutant(m)
	}
	r.keep([]mutant{{Mutant: check.Mutant{Name: "a"}}, {Mutant: check.Mutant{Name: "b"}}, {Mutant: check.Mutant{Name: "c"}}})
	if len(r.Mutants) != 2 || r.Mutants[0].Outcome != check.MutantCaughtOther || r.Mutants[1].Outcome != check.MutantCaught {
		t.Errorf("%+v", r.Mutants)
	}
	for _, run := range []recordedRun{{Run: "2", Started: day(2), Scenarios: 3}, {Run: "1", Started: day(1), Scenarios: 1}, {Run: "2", Started: day(2), Scenarios: 4}, {Run: "0", Started: day(1)}} {
		r.putRun(run)
	}
	if len(r.Runs) != 2 || r.Runs[0].Run != "1" || r.Runs[1].Scenarios != 4 {
		t.Errorf("%+v", r.Runs)
	}
}
