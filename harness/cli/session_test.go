package cli

import (
	"fmt"
	"slices"
	"testing"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// TestWhatIsStillToBeRunIsOnDisk: at any moment, run.json names every scenario that was asked for and has not begun, so that a
// harness that is killed leaves no run that looks whole.
func TestWhatIsStillToBeRunIsOnDisk(t *testing.T) {
	s, err := NewSession(testConfig(t), t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	all := testCatalogue()[:3]
	const waits = "the run was cut short before it began"
	for _, step := range []struct {
		name string
		do   func() error
		want []string
	}{
		{"asked for", func() error { return s.Expect(all...) }, []string{"steady: " + waits, "stranger: " + waits, "panics: " + waits}},
		{"one begun", func() error { return s.begun(all[0].Name) }, []string{"stranger: " + waits, "panics: " + waits}},
		{"one not run", func() error { return s.NotRun(all[1], "no engine") }, []string{"stranger: no engine", "panics: " + waits}},
		{"the last begun", func() error { return s.begun(all[2].Name) }, []string{"stranger: no engine"}},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		r, err := evidence.ReadSession(s.Dir)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, n := range r.NotRun {
			got = append(got, fmt.Sprintf("%s: %s", n.Name, n.Reason))
		}
		if !slices.Equal(got, step.want) {
			t.Errorf("%s: %q, want %q", step.name, got, step.want)
		}
	}
}

func testConfig(t *testing.T) Config {
	return Config{Driver: Driver{Kind: lab("lab")}, Out: t.TempDir()}
}
