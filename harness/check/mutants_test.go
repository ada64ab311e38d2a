package check_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/sentinel-chaos/sentinel/harness/check"
)

// judged is a judgement of the claims Answers and Quick, and of the assumption Healthy.
func judged(answers, quick, healthy check.Status) check.Judgement {
	return check.Judgement{
		Checks:      []check.Verdict{{Check: "Answers", Status: answers, Reason: "of answers"}, {Check: "Quick", Status: quick, Reason: "of time"}},
		Assumptions: []check.Verdict{{Check: "Healthy", Status: healthy, Reason: "of health"}},
	}.Conclude()
}

// TestMutantOutcome: a mutant is caught if the named check fails, and if its scenario passes without the defect.
func TestMutantOutcome(t *testing.T) {
	const p, f, u = check.Pass, check.Fail, check.Unknown
	passes, notRun := judged(p, p, p), check.Judgement{Reason: "no engine"}
	guarded := passes
	guarded.Sometimes = []check.Verdict{{Check: "Happened", Reason: "never"}}
	guarded = guarded.Conclude()
	for _, c := range []struct {
		name             string
		control, mutated check.Judgement
		want             check.MutantOutcome
		reason           string
	}{
		{"the named check fails", passes, judged(f, p, p), check.MutantCaught, "Answers: of answers"},
		{"others fail, too", passes, judged(f, f, f), check.MutantCaught, "Answers: of answers"},
		{"fails, with unproven ones", passes, judged(f, u, u), check.MutantCaught, "Answers: of answers"},
		{"another check fails", passes, judged(p, f, p), check.MutantCaughtOther, "Quick: of time"},
		{"an assumption blames the service", passes, judged(p, p, f), check.MutantCaughtOther, "Healthy: of health"},
		{"the named check is unproven", passes, judged(u, p, p), check.MutantInconclusive, "Answers: of answers"},
		{"an assumption is broken", passes, judged(p, p, u), check.MutantInconclusive, "Healthy: of health"},
		{"nothing fails", passes, judged(p, p, p), check.MutantSurvived, "all 2 checks hold"},
		{"could not be run", passes, notRun, check.MutantNotRun, "no engine"},
		{"never begun", passes, check.Judgement{}, check.MutantNotRun, "it was not begun"},
		{"fails without the defect, too", judged(f, p, p), judged(f, p, p), check.MutantNotProven, "the control did not pass: Answers: of answers"},
		{"another fails without the defect", judged(p, f, p), judged(f, p, p), check.MutantNotProven, "the control did not pass: Quick: of time"},
		{"another fails, and fails without the defect", judged(p, f, p), judged(p, f, p), check.MutantNotProven, "the control did not pass: Quick: of time"},
		{"unproven without the defect", judged(p, p, u), judged(f, p, p), check.MutantNotProven, "the control did not pass: Healthy: of health"},
		{"a guard left open without the defect", guarded, judged(f, p, p), check.MutantNotProven, "the control did not pass: Happened: never"},
		{"the control could not be run", notRun, judged(f, p, p), check.MutantNotProven, "the control did not pass: no engine"},
		{"the control was not begun", check.Judgement{}, judged(f, p, p), check.MutantNotProven, "the control did not pass: it was not begun"},
		{"to survive takes no control", judged(f, p, p), judged(p, p, p), check.MutantSurvived, "all 2 checks hold"},
		{"to be inconclusive takes no control", judged(f, p, p), judged(u, p, p), check.MutantInconclusive, "Answers: of answers"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := check.NewMatrix([]check.Mutant{{Name: "m", Scenario: "s", Check: "Answers"}}, map[string]check.Judgement{"s": c.control, "m": c.mutated})
			if got := m.Mutants[0]; got.Outcome != c.want || got.Reason != c.reason {
				t.Errorf("%s: %s; want %s: %s", got.Outcome, got.Reason, c.want, c.reason)
			}
		})
	}
}

// TestMatrix: each scenario has one control, and mutants are counted by class.
func TestMatrix(t *testing.T) {
	const p, f, u = check.Pass, check.Fail, check.Unknown
	mutants := []check.Mutant{
		{Name: "a", Class: "content", Scenario: "calm", Check: "Answers"},
		{Name: "b", Class: "content", Scenario: "calm", Check: "Answers"},
		{Name: "c", Class: "bounds", Scenario: "calm", Check: "Answers"},
		{Name: "d", Scenario: "storm", Check: "Answers"},
		{Name: "e", Scenario: "storm", Check: "Answers"},
	}
	twice := judged(p, p, p)
	twice.Checks = append([]check.Verdict{{Check: "Quick", Status: f}}, append(twice.Checks, check.Verdict{Check: "Quick", Status: u})...)
	m := check.NewMatrix(mutants, map[string]check.Judgement{"calm": judged(p, p, p), "storm": judged(u, p, p),
		"a": judged(f, p, p), "b": twice.Conclude(), "c": judged(p, p, p), "d": judged(f, p, p)})
	want := []check.MutantOutcome{check.MutantCaught, check.MutantCaughtOther, check.MutantSurvived, check.MutantNotProven, check.MutantNotRun}
	for i, row := range m.Mutants {
		if row.Outcome != want[i] || row.Name != mutants[i].Name {
			t.Errorf("%s: %s, want %s", row.Name, row.Outcome, want[i])
		}
	}
	if m.All != (check.Share{Mutants: 5, Caught: 2, Named: 1}) {
		t.Errorf("all: %+v", m.All)
	}
	if !slices.Equal(m.Classes, []check.Share{{Class: "bounds", Mutants: 1}, {Class: "content", Mutants: 2, Caught: 2, Named: 1}}) {
		t.Errorf("classes: %+v", m.Classes)
	}
	if len(m.Controls) != 2 || m.Controls[0].Scenario != "calm" || m.Controls[1].Scenario != "storm" || m.Controls[1].Status != u {
		t.Errorf("controls: %+v", m.Controls)
	}
	if got := m.Mutants[1].Verdicts; !maps.Equal(got, map[string]check.Status{"Answers": p, "Quick": f, "Healthy": p}) {
		t.Errorf("of several verdicts of one name not the worst: %v", got)
	}
}

// TestMatrixStatus: only mutants that were all caught by the named check, beside controls that passed, make a pass.
func TestMatrixStatus(t *testing.T) {
	const p, f, u = check.Pass, check.Fail, check.Unknown
	passes, fails, unproven, notRun := judged(p, p, p), judged(f, p, p), judged(u, p, p), check.Judgement{}
	for _, c := range []struct {
		name    string
		control check.Judgement
		mutants []check.Judgement
		want    check.Status
	}{
		{"all caught", passes, []check.Judgement{fails, fails}, p},
		{"one survived", passes, []check.Judgement{fails, passes, unproven}, f},
		{"one caught by another check", passes, []check.Judgement{fails, judged(p, f, p)}, f},
		{"one inconclusive", passes, []check.Judgement{fails, unproven}, u},
		{"one not run", passes, []check.Judgement{fails, notRun}, u},
		{"not proven", unproven, []check.Judgement{fails}, u},
		{"the service fails without a defect", fails, []check.Judgement{fails}, f},
		{"no mutant", passes, nil, u},
	} {
		t.Run(c.name, func(t *testing.T) {
			judgements := map[string]check.Judgement{"s": c.control}
			var mutants []check.Mutant
			for i, j := range c.mutants {
				name := string(rune('a' + i))
				judgements[name] = j
				mutants = append(mutants, check.Mutant{Name: name, Scenario: "s", Check: "Answers"})
			}
			if got := check.NewMatrix(mutants, judgements).Status(); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// TestMatrixShape holds mutants.json to the names that others rely on.
func TestMatrixShape(t *testing.T) {
	mutant := check.Mutant{Name: "m", Class: "content", Defect: "it is wrong", Scenario: "s", Check: "Answers"}
	m := check.NewMatrix([]check.Mutant{mutant}, map[string]check.Judgement{"s": judged(check.Pass, check.Pass, check.Pass), "m": judged(check.Fail, check.Pass, check.Unknown)})
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"controls":[{"scenario":"s","status":"pass","reason":"all 2 checks hold","verdicts":{"Answers":"pass","Healthy":"pass","Quick":"pass"}}]`,
		`"mutants":[{"name":"m","class":"content","defect":"it is wrong","scenario":"s","check":"Answers","outcome":"caught","status":"fail",` +
			`"reason":"Answers: of answers","verdicts":{"Answers":"fail","Healthy":"unknown","Quick":"pass"}}]`,
		`"all":{"mutants":1,"caught":1,"caught_by_named_check":1}`,
		`"classes":[{"class":"content","mutants":1,"caught":1,"caught_by_named_check":1}]`,
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s lacks %s", b, want)
		}
	}
	var back check.Matrix
	if err := json.Unmarshal(b, &back); err != nil || back.Mutants[0].Outcome != check.MutantCaught || back.Mutants[0].Check != "Answers" {
		t.Errorf("read back: %+v, %v", back, err)
	}
}
