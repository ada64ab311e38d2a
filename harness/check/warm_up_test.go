package check_test

import (
	"fmt"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// warmed adds requests of the warm-up that were not ok.
func warmed(n int, o evidence.Outcome, reason string, status int16) func(*history) {
	return func(h *history) {
		for range n {
			seq := uint64(len(h.warmup))
			due := 5*time.Second + time.Duration(seq)*time.Millisecond
			h.warmup = append(h.warmup, evidence.Request{Seq: seq, ID: fmt.Sprintf("%s1-%d", evidence.WarmupPrefix, seq), Stage: "fill", Due: due,
				Sent: due, End: due + time.Millisecond, Conns: 1, Status: status, Outcome: o, Reason: reason})
		}
	}
}

// warmUpCases are about requests of the warm-up.
func warmUpCases() []verdictCase {
	warm := check.WarmedUp()
	refused := warmed(2, evidence.Refused, "", 503)
	noBaseline := func(h *history) { h.windows = h.windows[1:] }
	return []verdictCase{
		{"all ok", warm, "", unchanged, check.Pass, "no request of the warm-up went wrong"},
		{"answered wrongly", warm, "", warmed(2, evidence.Failed, "malformed", 200), check.Fail,
			`2 requests of the warm-up were answered wrongly or not at all: 2 failed (malformed 200); the first was warm-1-0 of the stage "fill"`},
		{"not answered", warm, "", warmed(1, evidence.Ambiguous, "timeout", 0), check.Fail, "1 ambiguous (timeout)"},
		{"refused", warm, "", refused, check.Unknown, "2 requests of the warm-up were not answered ok: 2 refused (503)"},
		{"no connection", warm, "", func(h *history) {
			warmed(1, evidence.Failed, "dial", 0)(h)
			h.warmup[0].Conns = 0
		}, check.Unknown, "1 failed (dial)"},
		{"refused, and answered wrongly", warm, "", both(refused, warmed(1, evidence.Failed, "status", 500)), check.Fail, "1 failed (status 500); the first was warm-1-2"},
		{"of no known outcome", warm, "", warmed(1, "fine", "", 200), check.Unknown, "1 fine (200)"},
		{"cut short", warm, "", noBaseline, check.Unknown, "did not get past its warm-up"},
		{"answered wrongly, and cut short", warm, "", both(noBaseline, warmed(1, evidence.Failed, "status", 500)), check.Fail, "1 failed (status 500)"},

		{"refused, and again in the load", check.NothingDropped(), "", both(refused, func(h *history) { h.requests[2].Outcome, h.requests[2].Status = evidence.Refused, 503 }),
			check.Fail, "1 refused (503)"},
	}
}
