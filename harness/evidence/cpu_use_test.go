package evidence_test

import (
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

func TestOthersShare(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		name string
		use  evidence.CPUUse
		want float64
	}{
		{"nobody", evidence.CPUUse{Took: s, Cores: 2}, 0},
		{"the run alone", evidence.CPUUse{Took: s, Cores: 2, Busy: 2 * s, Run: 2 * s}, 0},
		{"the run, which was counted for longer", evidence.CPUUse{Took: s, Cores: 2, Busy: 2 * s, Run: 3 * s}, 0},
		{"others beside it", evidence.CPUUse{Took: s, Cores: 2, Busy: 2 * s, Run: s}, 0.5},
		{"others for two seconds", evidence.CPUUse{Took: 2 * s, Cores: 2, Busy: 2 * s, Run: s}, 0.25},
		{"others alone, as ticks are coarse", evidence.CPUUse{Took: s, Cores: 2, Busy: 2*s + s/50}, 1},
		{"no time at all", evidence.CPUUse{Cores: 2, Busy: s}, 0},
	} {
		if got := c.use.OthersShare(); got != c.want {
			t.Errorf("%s: %g, want %g", c.name, got, c.want)
		}
	}
}
