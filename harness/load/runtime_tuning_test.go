package load

import (
	"math"
	"runtime"
	"runtime/debug"
	"testing"
)

// What the runtime was told for the load is taken back after it, in whatever order loads that overlap end.
func TestRuntimeTuningEnds(t *testing.T) {
	processors := runtime.GOMAXPROCS(0)
	first := tuneRuntime()
	last := tuneRuntime()
	first()
	if got := runtime.GOMAXPROCS(0); got <= processors {
		t.Errorf("%d processors during the load, %d before", got, processors)
	}
	if percent := debug.SetGCPercent(-1); percent != -1 {
		t.Errorf("garbage is collected during the load: %d %%", percent)
	}
	last()
	if got := runtime.GOMAXPROCS(0); got != processors {
		t.Errorf("%d processors after the load, %d before", got, processors)
	}
	if percent := debug.SetGCPercent(100); percent < 0 {
		t.Error("no garbage is collected after the load")
	}
	if limit := debug.SetMemoryLimit(-1); limit != math.MaxInt64 {
		t.Errorf("the limit of memory is still %d", limit)
	}
}
