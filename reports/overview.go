package reports

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sentinel-chaos/sentinel/harness/check"
)

// overview is the table of a run's scenarios.
type overview struct {
	Titles []string // of the headlines
	Rows   []overviewRow
}

// Width is the number of columns: those of the headlines and the five others.
func (o overview) Width() int { return len(o.Titles) + 5 }

// overviewRow is one scenario in the overview of a run, as text.
type overviewRow struct {
	Scenario
	Badge     badge
	Link      string // "" where there is no page
	Requests  string
	P99       string
	Headlines []headline // by the overview's titles
	Took      string
	Failing   []Check // verdicts other than pass
}

// newOverview has the scenarios that left a folder first, as r does.
func newOverview(r Results, measured []*scenario) overview {
	o := overview{Titles: titles(measured)}
	for i, s := range r.Scenarios {
		row := overviewRow{Scenario: s, Badge: badgeOf(s.Status), Requests: none, P99: none, Headlines: columns(o.Titles, nil),
			Took: none, Failing: failing(s.Checks)}
		if i < len(measured) {
			row.fill(measured[i], o.Titles)
		}
		o.Rows = append(o.Rows, row)
	}
	return o
}

func (row *overviewRow) fill(m *scenario, titles []string) {
	row.Link = "./" + m.folder + "/" + pageFile
	if !m.measured {
		return
	}
	row.Requests = integer(m.result.Requests.Planned)
	row.Headlines = columns(titles, m.headlines)
	row.Took = secondsText(m.result.Seconds)
	if m.latency.Known {
		row.P99 = duration(m.latency.P99)
	}
}

func failing(checks []Check) []Check {
	var some []Check
	for _, c := range checks {
		if c.Status != check.Pass {
			some = append(some, c)
		}
	}
	return some
}

// badge is a status as people see it: never by colour alone.
type badge struct {
	Class string
	Icon  string
	Word  string
}

func badgeOf(s Status) badge {
	switch s {
	case Pass:
		return badge{"pass", "✓", "PASS"}
	case Fail:
		return badge{"fail", "✗", "FAIL"}
	case Skipped:
		return badge{"skipped", "–", "NOT RUN"}
	default:
		return badge{"unknown", "?", "INCONCLUSIVE"}
	}
}

// tally says how many scenarios ended how, leaving out what did not occur.
func tally(r Results) string {
	var parts []string
	for _, c := range []struct {
		s    Status
		word string
	}{{Fail, "failed"}, {Unknown, "inconclusive"}, {Pass, "passed"}, {Skipped, "not run"}} {
		if n := r.Count(c.s); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, c.word))
		}
	}
	if len(parts) == 0 {
		return "no scenario in this run"
	}
	return strings.Join(parts, ", ")
}

func runFacts(r Results) []value {
	all := []value{{"run", r.Run}, {"started", moment(r.Started)}, {"seed", strconv.FormatUint(r.Seed, 10)}, {"driver", r.Driver}}
	for _, name := range slices.Sorted(maps.Keys(r.Versions)) {
		all = append(all, value{name, r.Versions[name]})
	}
	return all
}
