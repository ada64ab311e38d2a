package reports

import (
	"slices"
	"strconv"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Recovery is how a fault was overcome: by what it hit and by the service. Times are milliseconds from the moment at which
// the fault was active, or was ordered to heal where the check says AfterHeal; null where nobody measured them.
type Recovery struct {
	Fault      string   `json:"fault"`
	Target     string   `json:"target"`
	Dependency string   `json:"dependency"`  // role of the target
	Failover   *float64 `json:"failover_ms"` // until another node was seen in the lead
	Floor      *float64 `json:"floor_ms"`    // the least that the running configuration lets that take
	Hits       *float64 `json:"hits_ms"`     // until hits succeeded again
	Misses     *float64 `json:"misses_ms"`
	AfterHeal  bool     `json:"after_heal"` // hits and misses count from the order to heal
}

// Names of figures that checks of recoveries report.
const (
	figureFailover = "failover_ms"
	figureFloor    = "floor_ms"
	figureHits     = "recovery_hit_ms"
	figureMisses   = "recovery_miss_ms"

	afterHeal = "RecoversAfterHeal"
)

// recoveries collects what checks measured of each fault, in the faults' order.
func recoveries(run *evidence.Run, j check.Judgement) []Recovery {
	all := []Recovery{}
	for _, f := range j.Faults {
		node, _ := run.Node(f.Target)
		r := Recovery{Fault: f.Fault, Target: f.Target, Dependency: node.Role}
		for _, v := range slices.Concat(j.Checks, j.Sometimes) {
			if v.Fault == f.Fault {
				r.add(v)
			}
		}
		if r.Failover != nil || r.Floor != nil || r.Hits != nil || r.Misses != nil {
			all = append(all, r)
		}
	}
	return all
}

func (r *Recovery) add(v check.Verdict) {
	for name, field := range map[string]**float64{figureFailover: &r.Failover, figureFloor: &r.Floor, figureHits: &r.Hits, figureMisses: &r.Misses} {
		if figure, ok := v.Figures[name]; ok {
			*field = &figure
			r.AfterHeal = r.AfterHeal || v.Check == afterHeal
		}
	}
}

// recoveryRow is a Recovery as text.
type recoveryRow struct {
	Scenario, Fault, Target              string
	Failover, Floor, Hits, Misses, Since string
}

func recoveryRows(scenario string, all []Recovery) []recoveryRow {
	var rows []recoveryRow
	for _, r := range all {
		row := recoveryRow{Scenario: scenario, Fault: r.Fault, Target: r.Target, Failover: msText(r.Failover), Floor: msText(r.Floor),
			Hits: msText(r.Hits), Misses: msText(r.Misses), Since: "fault"}
		if r.AfterHeal {
			row.Since = "heal"
		}
		rows = append(rows, row)
	}
	return rows
}

func allRecoveries(r Results) (rows []recoveryRow) {
	for _, s := range r.Scenarios {
		rows = append(rows, recoveryRows(s.Name, s.Recoveries)...)
	}
	return rows
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
	var names []string
	failovers, floors := map[string][]float64{}, map[string][]float64{}
	for _, s := range scenarios {
		for _, r := range s.Recoveries {
			if r.Failover == nil {
				continue
			}
			if failovers[r.Dependency] == nil {
				names = append(names, r.Dependency)
			}
			failovers[r.Dependency] = append(failovers[r.Dependency], *r.Failover)
			if r.Floor != nil {
				floors[r.Dependency] = append(floors[r.Dependency], *r.Floor)
			}
		}
	}
	slices.Sort(names)
	var rows []outageRow
	for _, name := range names {
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
