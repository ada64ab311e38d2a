package reports

import (
	"reflect"
	"slices"
	"testing"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

func TestRecoveries(t *testing.T) {
	run := evidence.New(evidence.Plan{}, evidence.Nodes.With(evidence.Node{Name: "store-2", Role: "store"}, evidence.Node{Name: "upstream-1", Role: "upstream"}))
	by := func(name string, times check.RecoveryTimes) check.Verdict {
		return check.Verdict{Check: name, Recovery: &times}
	}
	got := recoveries(run, check.Judgement{
		Faults: []check.Fault{{Name: "kill store-leader", Target: "store-2"}, {Name: "slow upstream", Target: "upstream-1"}, {Name: "cut x", Target: "x"},
			{Name: "unmeasured", Target: "x"}},
		Checks: []check.Verdict{
			by("RecoversWithin", check.RecoveryTimes{Fault: "kill store-leader", Classes: map[string]float64{"hit": 0, "miss": 30}}),
			by("RecoversAfterHeal", check.RecoveryTimes{Fault: "slow upstream", SinceHeal: true, Classes: map[string]float64{"miss": 540}}),
			by("Other", check.RecoveryTimes{Fault: "unmeasured"}),
			{Check: "NoRecovery", Figures: map[string]float64{"failover_ms": 1}}},
		Sometimes: []check.Verdict{by("FailedOver", check.RecoveryTimes{Fault: "kill store-leader", Failover: new(900.0), Floor: new(500.0)}),
			by("FailedOver", check.RecoveryTimes{Fault: "slow upstream", Floor: new(100.0)})}})
	want := []Recovery{
		{Fault: "kill store-leader", Target: "store-2", Dependency: "store", Failover: new(900.0), Floor: new(500.0), Classes: map[string]float64{"hit": 0, "miss": 30}},
		{Fault: "slow upstream", Target: "upstream-1", Dependency: "upstream", Floor: new(100.0), Classes: map[string]float64{"miss": 540}, SinceHeal: true}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	table := tableOf([]Scenario{{Name: "s", Recoveries: got}, {Name: "plain", Recoveries: []Recovery{{Classes: map[string]float64{"": 7}}}}}, true)
	if !slices.Equal(table.Classes, []string{"requests", "hit", "miss"}) {
		t.Errorf("columns %q", table.Classes)
	}
	for i, want := range [][]string{{none, "0 ms", "30.0 ms"}, {none, none, "540 ms"}, {"7.00 ms", none, none}} {
		if !slices.Equal(table.Rows[i].Classes, want) {
			t.Errorf("row %d: %q, want %q", i, table.Rows[i].Classes, want)
		}
	}
	if table.Rows[0].Since != "fault" || table.Rows[1].Since != "heal" || table.Rows[2].Scenario != "plain" {
		t.Errorf("%+v", table.Rows)
	}
}

func TestOutages(t *testing.T) {
	failover := func(dependency string, took, floor float64) Recovery {
		return Recovery{Dependency: dependency, Failover: &took, Floor: &floor}
	}
	got := outageRows([]Scenario{
		{Recoveries: []Recovery{failover("store", 900, 500), {Dependency: "upstream"}}},
		{Recoveries: []Recovery{failover("queue", 20100, 19000)}},
		{Recoveries: []Recovery{failover("store", 700, 500)}},
		{Recoveries: []Recovery{failover("queue", 1400, 1000), {Dependency: "elector", Failover: new(5.0)}}},
		{Recoveries: []Recovery{failover("store", 1900, 500)}}})
	want := []outageRow{
		{"elector", "1", none, "5.00 ms", "5.00 ms", "5.00 ms"},
		{"queue", "2", "1.00 s – 19.00 s", "1.40 s", "1.40 s", "20.10 s"},
		{"store", "3", "500 ms", "700 ms", "900 ms", "1.90 s"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}
