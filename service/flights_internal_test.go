package service

import (
	"errors"
	"testing"
)

// TestPanicOfAFlightIsTold, also if nobody waits for the flight any more.
func TestPanicOfAFlightIsTold(t *testing.T) {
	told := errors.New("told")
	fs := flights{panicked: func(key string, defect any) error {
		if key != "k" || defect != "defect" {
			t.Errorf("told of %v in %q", defect, key)
		}
		return told
	}}
	f, _ := fs.join("k", func() flightResult { panic("defect") })
	<-f.ended
	if !errors.Is(f.err, told) {
		t.Errorf("its requests get %v", f.err)
	}
}
