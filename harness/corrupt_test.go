package harness_test

import (
	"strings"
	"testing"

	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/corrupt"
	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// untold is a system that exempts the times of its effects.
type untold struct{ env.System }

func (untold) Exemptions() []corrupt.Exemption {
	return []corrupt.Exemption{{Kind: effects.Name(), What: []string{"at_ns"}, Why: "nobody asks"}}
}

// TestCorrupt: a copy is judged by all that a run is judged by: assumptions, claims, and confirmations of faults.
func TestCorrupt(t *testing.T) {
	dir := t.TempDir()
	newRecorded().save(t, dir)
	run, err := evidence.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := small(storeKill())
	s.System = untold{}
	results := map[string]corrupt.Result{}
	for r, err := range harness.Corrupt(run, s, 1) {
		if err != nil {
			t.Fatal(err)
		}
		results[r.Kind+" "+r.What] = r
	}
	for what, want := range map[string]struct {
		noticed bool
		exempt  string
	}{
		"requests (deleted)": {true, ""},
		"requests outcome":   {true, ""},
		"effects (doubled)":  {true, ""},
		"effects (deleted)":  {false, ""}, // no check of this system counts them
		"effects at_ns":      {false, "nobody asks"},
		"exits (deleted)":    {true, ""},
		"exits code":         {true, ""},
		"injections error":   {true, ""},
		"nodes role":         {false, "for people; no check reads it"},
	} {
		r, tried := results[what]
		switch {
		case !tried:
			t.Errorf("%s: was not tried", what)
		case want.exempt != "":
			if r.Tried > 0 || strings.Join(r.Why, "; ") != want.exempt {
				t.Errorf("%s: %+v", what, r)
			}
		case want.noticed != (r.Missed() == 0):
			t.Errorf("%s: %+v", what, r)
		}
	}
}
