package reports

import (
	"reflect"
	"testing"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

func TestRecoveries(t *testing.T) {
	run := evidence.New(evidence.Plan{}, evidence.Records{Nodes: []evidence.Node{{Name: "redis-2", Role: "redis"}, {Name: "llm-1", Role: "llm"}}})
	got := recoveries(run, check.Judgement{
		Faults: []check.Certified{{Fault: "kill redis-master", Target: "redis-2"}, {Fault: "slow llm-1", Target: "llm-1"}, {Fault: "cut x", Target: "x"}},
		Checks: []check.Verdict{
			{Check: "RecoversWithin", Fault: "kill redis-master", Figures: map[string]float64{"recovery_hit_ms": 0, "recovery_miss_ms": 30, "limit_ms": 5000}},
			{Check: "RecoversAfterHeal", Fault: "slow llm-1", Figures: map[string]float64{"recovery_miss_ms": 540}},
			{Check: "Other", Figures: map[string]float64{"recovery_hit_ms": 1}}},
		Sometimes: []check.Verdict{{Check: "FailedOver", Fault: "kill redis-master", Figures: map[string]float64{"failover_ms": 900, "floor_ms": 500}}}})
	want := []Recovery{
		{Fault: "kill redis-master", Target: "redis-2", Dependency: "redis", Failover: new(900.0), Floor: new(500.0), Hits: new(0.0), Misses: new(30.0)},
		{Fault: "slow llm-1", Target: "llm-1", Dependency: "llm", Misses: new(540.0), AfterHeal: true}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if rows := recoveryRows("s", got); rows[0].Hits != "0 ms" || rows[1].Hits != none || rows[1].Since != "heal" {
		t.Errorf("%+v", rows)
	}
}

func TestOutages(t *testing.T) {
	failover := func(dependency string, took, floor float64) Recovery {
		return Recovery{Dependency: dependency, Failover: &took, Floor: &floor}
	}
	got := outageRows([]Scenario{
		{Recoveries: []Recovery{failover("redis", 900, 500), {Dependency: "llm"}}},
		{Recoveries: []Recovery{failover("postgres", 20100, 19000)}},
		{Recoveries: []Recovery{failover("redis", 700, 500)}},
		{Recoveries: []Recovery{failover("postgres", 1400, 1000), {Dependency: "etcd", Failover: new(5.0)}}},
		{Recoveries: []Recovery{failover("redis", 1900, 500)}}})
	want := []outageRow{
		{"etcd", "1", none, "5.00 ms", "5.00 ms", "5.00 ms"},
		{"postgres", "2", "1.00 s – 19.00 s", "1.40 s", "1.40 s", "20.10 s"},
		{"redis", "3", "500 ms", "700 ms", "900 ms", "1.90 s"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}
