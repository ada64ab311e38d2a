package reports

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

func cards(latency quantiles, headlines []headline, lag quantiles) []card {
	all := []card{{Title: "Latency", Note: "from the moment a request was due to its last byte; all requests but unsent and aborted ones",
		Values: quantileValues(latency)}}
	if c, ok := headlineCard(headlines); ok {
		all = append(all, c)
	}
	return append(all, card{Title: "Load generator", Note: "lag from due to sent; above 20 ms at the p99 a run proves nothing",
		Values: quantileValues(lag)})
}

func quantileValues(q quantiles) []value {
	if !q.Known {
		return []value{{"p50", none}, {"p99", none}, {"max", none}}
	}
	return []value{{"p50", duration(q.P50)}, {"p99", duration(q.P99)}, {"max", duration(q.Max)}}
}

func groups(j check.Judgement, x examples) []group {
	return []group{
		{"Checks", "what the scenario claims", "No check was judged.", verdictRows(j.Checks, x)},
		{"Assumptions", "what the verdict rests on; one that is broken leaves a pass inconclusive", "No assumption was judged.",
			verdictRows(j.Assumptions, x)},
		{"It really happened", "what must have occurred at least once, or the run proved nothing", "This scenario has no such guard.",
			verdictRows(j.Sometimes, x)},
	}
}

func verdictRows(verdicts []check.Verdict, x examples) []verdictRow {
	var rows []verdictRow
	for _, v := range verdicts {
		rows = append(rows, verdictRow{Name: v.Check, Badge: badgeOf(Status(v.Status.String())), Reason: v.Reason,
			Figures: readableAll(v.Figures), Examples: x.of(v.Requests), Hidden: len(v.Requests) - len(shown(v.Requests))})
	}
	return rows
}

func faultRows(faults []check.Fault, zero time.Duration) []faultRow {
	var rows []faultRow
	for _, f := range faults {
		rows = append(rows, faultRow{Name: f.Name, Target: f.Target, Ordered: relative(f.Ordered, zero), Active: relative(f.Active, zero),
			Healing: relative(f.Healing, zero), Healed: relative(f.Healed, zero), Confirmed: f.Confirmed, Missing: f.Missing})
	}
	return rows
}

// relative is since of an offset that is 0 where unknown.
func relative(offset, zero time.Duration) string {
	if offset == 0 {
		return none
	}
	return since(offset, zero)
}

// since writes an offset from the epoch in seconds from the start of the load.
func since(offset, zero time.Duration) string {
	return fmt.Sprintf("%.3f s", (offset - zero).Seconds())
}

func nodeRows(run *evidence.Run, zero time.Duration) []nodeRow {
	exits := map[string][]string{}
	for _, e := range evidence.Exits.Each(run) {
		exits[e.Node] = append(exits[e.Node], fmt.Sprintf("code %d at %s", e.Code, since(e.At, zero)))
	}
	var rows []nodeRow
	for _, n := range evidence.Nodes.Of(run) {
		rows = append(rows, nodeRow{n, exits[n.Name]})
	}
	return rows
}

// linksIn lists what the page links to, as far as it exists: plan, verdicts, evidence, logs.
func linksIn(dir string) ([]link, error) {
	var links []link
	for _, pattern := range []string{evidence.PlanFile, evidence.VerdictsFile, evidence.Dir + "/*.ndjson", evidence.LogsDir + "/*.log"} {
		names, err := fs.Glob(os.DirFS(dir), pattern)
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", pattern, err)
		}
		for _, name := range names {
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil {
				return nil, fmt.Errorf("look at %s: %w", name, err)
			}
			links = append(links, link{Href: "./" + name, Text: name, Size: bytesText(float64(info.Size()))})
		}
	}
	return links, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
