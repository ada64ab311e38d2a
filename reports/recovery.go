package reports

import (
	"maps"
	"slices"
	"strconv"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Recovery is how a fault was overcome: by what it hit and by the service. Times are milliseconds from the moment at which
// the fault was active, null where no check measured them.
type Recovery struct {
	Fault      string             `json:"fault"`
	Target     string             `json:"target"`
	Dependency string             `json:"dependency"`  // role of the target
	Failover   *float64           `json:"failover_ms"` // until another node was seen in the lead
	Floor      *float64           `json:"floor_ms"`    // the least that the running configuration lets that take
	Classes    map[string]float64 `json:"classes_ms"`  // until requests of each class succeeded again
	SinceHeal  bool               `json:"since_heal"`  // Classes count from the order to heal
}

// recoveries collects what checks measured of each fault, in the faults' order.
func recoveries(run *evidence.Run, j check.Judgement) []Recovery {
	all := []Recovery{}
	for _, f := range j.Faults {
		node, _ := run.Node(f.Target)
		r, measured := Recovery{Fault: f.Name, Target: f.Target, Dependency: node.Role}, false
		for _, v := range slices.Concat(j.Checks, j.Sometimes) {
			if v.Recovery != nil && v.Recovery.Fault == f.Name {
				measured = r.add(*v.Recovery) || measured
			}
		}
		if measured {
			all = append(all, r)
		}
	}
	return all
}

// add takes over what one check measured, and reports whether it measured anything.
func (r *Recovery) add(t check.RecoveryTimes) bool {
	if t.Failover != nil {
		r.Failover = t.Failover
	}
	if t.Floor != nil {
		r.Floor = t.Floor
	}
	if len(t.Classes) > 0 {
		r.Classes, r.SinceHeal = t.Classes, t.SinceHeal
	}
	return t.Failover != nil || t.Floor != nil || len(t.Classes) > 0
}

// recoveryTable is recoveries as text, with a column for each class of requests.
type recoveryTable struct {
	Named   bool // rows name their scenario
	Classes []string
	Rows    []recoveryRow
}

type recoveryRow struct {
	Scenario, Fault, Target, Failover, Floor string
	Classes                                  []string
	Since                                    string
}

// newRecoveryTable is about one scenario. Its rows do not name it.
func newRecoveryTable(of Scenario) recoveryTable { return tableOf([]Scenario{of}, false) }

// allRecoveries is about all scenarios of a run.
func allRecoveries(r Results) recoveryTable { return tableOf(r.Scenarios, true) }

func tableOf(scenarios []Scenario, named bool) recoveryTable {
	classes := map[string]bool{}
	for _, s := range scenarios {
		for _, r := range s.Recoveries {
			for name := range r.Classes {
				classes[name] = true
			}
		}
	}
	t, names := recoveryTable{Named: named}, slices.Sorted(maps.Keys(classes))
	for _, name := range names {
		t.Classes = append(t.Classes, classTitle(name))
	}
	for _, s := range scenarios {
		for _, r := range s.Recoveries {
			t.Rows = append(t.Rows, newRecoveryRow(s.Name, r, names))
		}
	}
	return t
}

func newRecoveryRow(scenario string, r Recovery, classes []string) recoveryRow {
	row := recoveryRow{Scenario: scenario, Fault: r.Fault, Target: r.Target, Failover: msText(r.Failover), Floor: msText(r.Floor), Since: "fault"}
	if r.SinceHeal {
		row.Since = "heal"
	}
	for _, name := range classes {
		text := none
		if after, ok := r.Classes[name]; ok {
			text = milliseconds(after)
		}
		row.Classes = append(row.Classes, text)
	}
	return row
}

// classTitle names a class of requests: a service without classes has one, whose name is empty.
func classTitle(name string) string {
	if name == "" {
		return "requests"
	}
	return name
}

func msText(v *float64) string {
	if v == nil {
		return none
	}
	return milliseconds(*v)
}

// outageRow is how the failovers of one dependency were distributed over the scenarios of a run.
type outageRow struct {
	Dependency, Faults, Floor, Min, Median, Max string
}

func outageRows(scenarios []Scenario) []outageRow {
	failovers, floors := map[string][]float64{}, map[string][]float64{}
	for _, s := range scenarios {
		for _, r := range s.Recoveries {
			if r.Failover == nil {
				continue
			}
			failovers[r.Dependency] = append(failovers[r.Dependency], *r.Failover)
			if r.Floor != nil {
				floors[r.Dependency] = append(floors[r.Dependency], *r.Floor)
			}
		}
	}
	var rows []outageRow
	for _, name := range slices.Sorted(maps.Keys(failovers)) {
		all := failovers[name]
		slices.Sort(all)
		rows = append(rows, outageRow{Dependency: name, Faults: strconv.Itoa(len(all)), Floor: extent(floors[name]),
			Min: milliseconds(all[0]), Median: milliseconds(all[(len(all)-1)/2]), Max: milliseconds(all[len(all)-1])})
	}
	return rows
}

// extent writes the smallest and the largest of some values, once if they are the same.
func extent(ms []float64) string {
	if len(ms) == 0 {
		return none
	}
	from, to := milliseconds(slices.Min(ms)), milliseconds(slices.Max(ms))
	if from == to {
		return from
	}
	return from + " – " + to
}
