package check_test

import (
	"flag"
	"slices"
	"testing"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/check/checktest"
)

var update = flag.Bool("update", false, "write the histories of testdata anew")

// verdictCase alters a scripted history with a fault of that kind, and says what a check must make of it.
type verdictCase struct {
	name   string
	check  check.Check
	fault  string
	alter  func(h *history)
	want   check.Status
	reason string // part of the reason
}

// scriptedCases are all that alter a scripted history.
func scriptedCases() []verdictCase {
	return slices.Concat(availabilityCases(), rejectionCases(), assumptionCases(), clockCases(), healthCases(), samplingCases(), processCases(), gaugesCases(), staysZeroCases(),
		sawRisesCases(), retryAfterCases(), accountsCases(), warmUpCases(), rolloutCases(), seriesCases(), cpuBudgetCases())
}

func (c verdictCase) run() *check.Run {
	h := scripted(c.fault)
	c.alter(h)
	return h.run()
}

// histories are those of all tables of this package. A new check needs some in one of them.
func histories() (all []checktest.History) {
	for _, c := range scriptedCases() {
		all = append(all, checktest.History{Name: c.name, Check: c.check, Run: c.run, Want: c.want, Reason: c.reason})
	}
	for _, c := range outageCases() {
		all = append(all, checktest.History{Name: c.name, Check: c.check, Run: c.run, Want: c.want})
	}
	for _, c := range slices.Concat(windowCases(), lateCases()) {
		all = append(all, checktest.History{Name: c.name, Check: c.check, Run: c.run, Want: c.want})
	}
	for _, c := range flatCases() {
		all = append(all, checktest.History{Name: c.name, Check: flat(), Run: c.run, Want: c.want})
	}
	for _, c := range leadershipCases() {
		all = append(all, checktest.History{Name: c.name, Check: c.check, Run: c.run, Want: c.want})
	}
	for _, c := range overloadCases() {
		all = append(all, checktest.History{Name: c.name, Check: c.check, Run: c.run, Want: c.want})
	}
	for _, c := range refusalCases() {
		all = append(all, checktest.History{Name: c.name, Check: check.RetryAfterHonest(c.seen), Run: c.run, Want: c.want, Reason: c.reason})
	}
	for _, c := range limitCases() {
		all = append(all, checktest.History{Name: c.name, Check: c.check(), Run: c.run, Want: c.want})
	}
	return all
}

// neverFail are the checks that only ever blame the run, so that no history fails them, and why.
var neverFail = map[string]string{
	"LoadKeptSchedule": "the load generator's lag is not the service's",
	"EvidenceComplete": "evidence that is not whole proves nothing",
	"ClocksAgree":      "no clock is the service's",
	"FailedOver":       "a guard: that nobody took over makes the fault less than it should be",
	"SawRises":         "a guard: what was not seen to happen makes the run prove less",
	"SawRefusals":      "a guard: without refusals their advice was not tested",
	"HealthyBefore":    "a system that was not up before the load was not tested",
}

// suite proves the checks of this package.
func suite() checktest.Suite {
	return checktest.Suite{Histories: histories(), NeverFail: neverFail, Sources: map[string]int{".": 20}, Update: *update}
}

func TestVerdicts(t *testing.T) { suite().Verdicts(t) }

func TestEveryCheckPassesFailsAndIsUnknown(t *testing.T) { suite().EveryCheckIsSeen(t) }

func TestCutShortProvesNothing(t *testing.T) { suite().CutShortProvesNothing(t) }

func TestSavedHistories(t *testing.T) { suite().Saved(t) }
