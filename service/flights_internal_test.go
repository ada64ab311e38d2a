package service

import (
	"log/slog"
	"strings"
	"testing"
)

// TestPanicOfAFlightIsLogged, also if nobody waits for the flight any more.
func TestPanicOfAFlightIsLogged(t *testing.T) {
	var log strings.Builder
	fs := flights{log: slog.New(slog.NewTextHandler(&log, nil))}
	f, _ := fs.join("k", func() flightResult { panic("defect") })
	<-f.ended
	if f.err == nil || !strings.Contains(log.String(), "flight panicked: defect") {
		t.Errorf("%v, logged %q", f.err, log.String())
	}
}
