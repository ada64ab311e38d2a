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

func (s *scenario) cards() []card {
	saving := figuresWith(s.judgement, figureAvoided) // other checks report money too
	return []card{
		{Title: "Latency", Note: "from the moment a request was due to its last byte; all requests but unsent and aborted ones",
			Values: quantileValues(s.latency)},
		{Title: "LLM", Note: "calls from the LLM's own ledger; avoided: answers that needed no call of their own", Values: []value{
			{"calls", integer(uint64(s.upstream))},
			{"calls avoided", figureText(saving, figureAvoided)},
			{"saved", figureText(saving, figureSaved)},
			{"billed", figureText(saving, figureBilled)}}},
		{Title: "Load generator", Note: "lag from due to sent; above 20 ms at the p99 a run proves nothing",
			Values: quantileValues(s.lag)},
	}
}

func quantileValues(q quantiles) []value {
	if !q.Known {
		return []value{{"p50", none}, {"p99", none}, {"max", none}}
	}
	return []value{{"p50", duration(q.P50)}, {"p99", duration(q.P99)}, {"max", duration(q.Max)}}
}

func (s *scenario) groups() []group {
	j, t := s.judgement, newTrail(s.run, s.judgement)
	return []group{
		{"Checks", "what the scenario claims", "No check was judged.", verdictRows(j.Checks, t)},
		{"Assumptions", "what the verdict rests on; one that is broken leaves a pass inconclusive", "No assumption was judged.",
			verdictRows(j.Assumptions, t)},
		{"It really happened", "what must have occurred at least once, or the run proved nothing", "This scenario has no such guard.",
			verdictRows(j.Sometimes, t)},
	}
}

func verdictRows(verdicts []check.Verdict, t *trail) []verdictRow {
	var rows []verdictRow
	for _, v := range verdicts {
		rows = append(rows, verdictRow{Name: v.Check, Badge: badgeOf(Status(v.Status.String())), Reason: v.Reason,
			Figures: readableAll(v.Figures), Examples: t.examples(v.Calls), Hidden: len(v.Calls) - len(shown(v.Calls))})
	}
	return rows
}

func faultRows(certified []check.Certified, zero time.Duration) []faultRow {
	var rows []faultRow
	for _, c := range certified {
		rows = append(rows, faultRow{Name: c.Fault, Target: c.Target, Ordered: relative(c.Ordered, zero), Active: relative(c.Active, zero),
			Healing: relative(c.Healing, zero), Healed: relative(c.Healed, zero), Certified: c.Certified, Missing: c.Missing})
	}
	return rows
}

// relative writes an offset from the epoch, 0 where unknown, in seconds from the start of the load.
func relative(offset, zero time.Duration) string {
	if offset == 0 {
		return none
	}
	return fmt.Sprintf("%.3f s", (offset - zero).Seconds())
}

func nodeRows(run *evidence.Run) []nodeRow {
	exits, zero := map[string][]string{}, loadStart(run)
	for e := range run.Exits() {
		exits[e.Node] = append(exits[e.Node], fmt.Sprintf("code %d at %.3f s", e.Code, (e.At-zero).Seconds()))
	}
	var rows []nodeRow
	for n := range run.Nodes() {
		rows = append(rows, nodeRow{n, exits[n.Name]})
	}
	return rows
}

// linksIn lists what the page links to, as far as it exists: plan, verdicts, evidence, logs.
func linksIn(dir string) ([]link, error) {
	var links []link
	for _, pattern := range []string{planFile, verdictsFile, evidenceDir + "/*.ndjson", logsDir + "/*.log"} {
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
