package check_test

import (
	"encoding/json"
	"testing"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

func verdict(s check.Status, reason string) check.Verdict {
	return check.Verdict{Check: "c", Status: s, Reason: reason}
}

func TestConclude(t *testing.T) {
	type vs = []check.Verdict
	held, broken, unproven := verdict(check.Pass, "held"), verdict(check.Fail, "broken"), verdict(check.Unknown, "unproven")
	confirmed, unconfirmed := check.Fault{Name: "kill x", Confirmed: true}, check.Fault{Name: "kill x", Missing: "no exit"}
	for _, c := range []struct {
		name   string
		j      check.Judgement
		want   check.Status
		reason string
	}{
		{"all holds", check.Judgement{Assumptions: vs{held}, Checks: vs{held, held}, Sometimes: vs{held}, Faults: []check.Fault{confirmed}}, check.Pass, "all 2 checks hold"},
		{"nothing claimed", check.Judgement{Assumptions: vs{held}}, check.Unknown, "nothing was claimed"},
		{"a claim broken", check.Judgement{Checks: vs{held, broken}}, check.Fail, "c: broken"},
		{"a claim unproven", check.Judgement{Checks: vs{unproven, held}}, check.Unknown, "c: unproven"},
		{"broken outweighs unproven", check.Judgement{Checks: vs{unproven, broken}}, check.Fail, "c: broken"},
		{"broken outweighs an assumption", check.Judgement{Assumptions: vs{unproven}, Checks: vs{broken}}, check.Fail, "c: broken"},
		{"broken outweighs a missing confirmation", check.Judgement{Checks: vs{broken}, Faults: []check.Fault{unconfirmed}}, check.Fail, "c: broken"},
		{"an assumption blames the service", check.Judgement{Assumptions: vs{broken}, Checks: vs{held}}, check.Fail, "c: broken"},
		{"an assumption broken", check.Judgement{Assumptions: vs{unproven}, Checks: vs{held}}, check.Unknown, "c: unproven"},
		{"a fault not confirmed", check.Judgement{Checks: vs{held}, Faults: []check.Fault{confirmed, unconfirmed}}, check.Unknown, `fault "kill x" is not confirmed: no exit`},
		{"an assumption outweighs a missing confirmation", check.Judgement{Assumptions: vs{unproven}, Checks: vs{held}, Faults: []check.Fault{unconfirmed}}, check.Unknown, "c: unproven"},
		{"a missing confirmation outweighs an unproven claim", check.Judgement{Checks: vs{unproven}, Faults: []check.Fault{unconfirmed}}, check.Unknown, `fault "kill x" is not confirmed: no exit`},
		{"a guard left open", check.Judgement{Checks: vs{held}, Sometimes: vs{unproven}}, check.Unknown, "c: unproven"},
		{"a failed guard proves nothing", check.Judgement{Checks: vs{held}, Sometimes: vs{broken}}, check.Unknown, "c: broken"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.j.Conclude(); got.Status != c.want || got.Reason != c.reason {
				t.Errorf("%s: %s; want %s: %s", got.Status, got.Reason, c.want, c.reason)
			}
		})
	}
}

func TestAPanickingCheckProvesNothing(t *testing.T) {
	c := check.Check{Name: "wild", Of: func(*check.Run) check.Verdict { panic("oops") }}
	if v := c.Judge(check.NewRun(evidence.New(evidence.Plan{}), nil, nil)); v.Status != check.Unknown || v.Check != "wild" || v.Reason != "the check itself panicked: oops" {
		t.Errorf("%+v", v)
	}
}

func TestStatusAsText(t *testing.T) {
	for _, s := range []check.Status{check.Unknown, check.Pass, check.Fail} {
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var back check.Status
		if err := json.Unmarshal(b, &back); err != nil || back != s {
			t.Errorf("%s came back as %s: %v", s, back, err)
		}
	}
	var s check.Status
	if err := json.Unmarshal([]byte(`"fine"`), &s); err == nil {
		t.Error("an unknown status was read")
	}
	if got := check.Status(7).String(); got != "status(7)" {
		t.Error(got)
	}
}
