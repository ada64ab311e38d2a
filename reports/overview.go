package reports

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sentinel-chaos/sentinel/harness/check"
)

// overviewRow is one scenario in the overview of a run, as text.
type overviewRow struct {
	Scenario
	Badge    badge
	Link     string // "" where there is no page
	Requests string
	Dropped  string
	Dropping bool
	P99      string
	Upstream string
	Saved    string
	Took     string
	Failing  []Check // verdicts other than pass
}

func overviewRows(r Results, measured []*scenario) []overviewRow {
	var rows []overviewRow
	for i, s := range r.Scenarios {
		row := overviewRow{Scenario: s, Badge: badgeOf(s.Status), Requests: none, Dropped: none, P99: none, Upstream: none,
			Saved: none, Took: none, Failing: failing(s.Checks)}
		if i < len(measured) {
			row.fill(measured[i])
		}
		rows = append(rows, row)
	}
	return rows
}

func (row *overviewRow) fill(m *scenario) {
	row.Link = "./" + m.folder + "/" + pageFile
	if !m.measured {
		return
	}
	row.Requests = integer(m.result.Requests.Planned)
	drops := figuresWith(m.judgement, figureDropped)
	row.Dropped, row.Dropping = figureText(drops, figureDropped), drops[figureDropped] > 0
	row.Saved = figureText(figuresWith(m.judgement, figureAvoided), figureSaved)
	row.Upstream = integer(uint64(m.upstream))
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

func figureText(figures map[string]float64, name string) string {
	v, ok := figures[name]
	if !ok {
		return none
	}
	return readable(name, v).Text
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
