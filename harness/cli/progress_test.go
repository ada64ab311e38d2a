package cli

import (
	"bytes"
	"errors"
	"regexp"
	"testing"

	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// TestProgressInOrder: of scenarios that overlap, each is shown as a whole, in the order in which they began.
func TestProgressInOrder(t *testing.T) {
	passed := check.Judgement{Status: check.Pass, Reason: "all hold",
		Checks: []check.Verdict{{Check: "NothingDropped", Status: check.Pass, Reason: "none was"}}}
	var out bytes.Buffer
	p := newProgress(&out, false)
	first := p.begin("first", "It holds.")
	first.request(evidence.Request{Outcome: evidence.OK})
	second := p.begin("second", "It holds, too.")
	third := p.begin("third", "It starts.")
	second.logf("nodes ready")
	first.logf("heal")
	third.end(check.Judgement{}, errors.Join(harness.ErrSetup), "the last of three")
	first.end(passed, nil, "")
	second.logf("load")
	second.request(evidence.Request{Outcome: evidence.Refused})
	second.end(passed, nil, "")
	const want = `first
    It holds.
  T  heal
  T  requests: 1 ok
    PASS         NothingDropped: none was
  PASS  - all hold
second
    It holds, too.
  T  nodes ready
  T  load
  T  requests: 1 refused
    PASS         NothingDropped: none was
  PASS  - all hold
third
    It starts.
  T  set-up failed
  T  the last of three
`
	if got := regexp.MustCompile(`(?m)^ +[0-9.]+s`).ReplaceAllString(out.String(), "  T"); got != want {
		t.Errorf("%s", got)
	}
}
