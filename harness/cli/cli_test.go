package cli

import (
	"testing"

	"github.com/sentinel-chaos/sentinel/harness/check"
)

// TestMaxSeverity: a claim that failed outweighs a set-up that did, that whatever is not proven, and that a pass.
func TestMaxSeverity(t *testing.T) {
	order := []int{ExitFail, ExitSetup, ExitUnknown, ExitPass}
	for i, a := range order {
		for _, b := range order[i:] {
			if maxSeverity(a, b) != a || maxSeverity(b, a) != a {
				t.Errorf("of %d and %d: %d and %d, want %d", a, b, maxSeverity(a, b), maxSeverity(b, a), a)
			}
		}
	}
}

func TestStatusCodes(t *testing.T) {
	for s, want := range map[check.Status]int{check.Pass: 0, check.Fail: 1, check.Unknown: 3} {
		if got := statusCode(s); got != want {
			t.Errorf("%s: %d, want %d", s, got, want)
		}
	}
}
