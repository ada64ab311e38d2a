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
	if code := third.end(check.Judgement{}, errors.Join(harness.ErrSetup)); code != ExitSetup {
		t.Errorf("third: %d", code)
	}
	if code := first.end(passed, nil); code != ExitPass {
		t.Errorf("first: %d", code)
	}
	second.logf("load")
	second.request(evidence.Request{Outcome: evidence.Refused})
	if code := second.end(passed, nil); code != ExitPass {
		t.Errorf("second: %d", code)
	}
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
`
	if got := regexp.MustCompile(`(?m)^ +[0-9.]+s`).ReplaceAllString(out.String(), "  T"); got != want {
		t.Errorf("%s", got)
	}
}
