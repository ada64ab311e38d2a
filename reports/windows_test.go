package reports

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// TestWindowRows: requests are counted in the window in which they were due, and what nobody waited for in none.
func TestWindowRows(t *testing.T) {
	at := func(s int) time.Duration { return time.Duration(s) * time.Second }
	ask := func(due int, o evidence.Outcome, takes time.Duration) evidence.Request {
		return evidence.Request{Seq: uint64(due), Due: at(due), Sent: at(due), End: at(due) + takes, Outcome: o}
	}
	run := evidence.New(evidence.Plan{}, evidence.Windows.With(evidence.Window{Name: evidence.PhaseLoad, From: at(10), To: at(20)}),
		evidence.Requests.With(ask(11, evidence.OK, time.Second), ask(12, evidence.OK, 3*time.Second), ask(13, evidence.Failed, time.Second),
			ask(14, evidence.Refused, time.Millisecond), ask(15, evidence.Unsent, 0), ask(16, evidence.Ambiguous, 2*time.Second)))
	fault := check.Fault{Name: "kill x", Ordered: at(13), Healed: at(17), Confirmed: true}
	classless := func(*evidence.Run) (check.Classes, error) {
		return check.Classes{}, errors.New("the classes are not known")
	}
	rows, missing := windowRows(run, divided(run, classless, fault))
	want := []windowRow{
		{"before", "0.000 s", "3.000 s", "2", "0 %", "0 %", "1.00 s", "3.00 s", "3.00 s", false},
		{"during", "3.000 s", "7.000 s", "3", "66.667 %", "33.333 %", "1.00 s", "2.00 s", "2.00 s", true}}
	if len(rows) != len(want) || !strings.Contains(missing, "classes are not known") {
		t.Fatalf("%+v, %q", rows, missing)
	}
	for i := range want {
		if rows[i] != want[i] {
			t.Errorf("%+v, want %+v", rows[i], want[i])
		}
	}
	fault.Confirmed = false
	if rows, missing := windowRows(run, divided(run, nil, fault)); rows != nil || !strings.Contains(missing, "not confirmed") {
		t.Errorf("%+v, %q", rows, missing)
	}
	if rows, missing := windowRows(run, check.Judgement{}); rows != nil || missing != "" {
		t.Errorf("%+v, %q", rows, missing)
	}
}

// divided is a judgement with the windows into which the faults divide the load.
func divided(run *evidence.Run, classify check.Classifier, faults ...check.Fault) (j check.Judgement) {
	var err error
	if j.Windows, err = check.Windows(check.NewRun(run, faults, classify)); err != nil {
		j.Untold = err.Error()
	}
	return j
}
