package reports

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// page is everything that report.html shows, as text.
type page struct {
	Title     string
	Name      string
	Claim     string
	Badge     badge
	Reason    string
	Reproduce string
	Overview  bool // the folder above holds a run
	Partial   bool // the harness was cut short: absence of a record proves nothing
	Facts     []value
	Planned   string
	Requests  []share
	Cards     []card
	Bucket    string
	Timeline  *timeline // nil when there is nothing to draw
	Faults    []faultRow
	Windows   []windowRow
	Untold    string // why some windows are not there
	Recovered []recoveryRow
	Groups    []group
	Nodes     []nodeRow
	Links     []link
}

// share is one outcome and its part of all requests.
type share struct {
	Class   string
	Text    string
	Percent string // for CSS
	Some    bool
}

type card struct {
	Title  string
	Note   string
	Values []value
}

type group struct {
	Title, Note, Empty string
	Verdicts           []verdictRow
}

type verdictRow struct {
	Name     string
	Badge    badge
	Reason   string
	Figures  []value
	Examples []example
	Hidden   int // counter-examples that the verdict names and the page does not show
}

type faultRow struct {
	Name, Target                     string
	Ordered, Active, Healing, Healed string
	Certified                        bool
	Missing                          string
}

type nodeRow struct {
	evidence.Node
	Exits []string
}

type link struct{ Href, Text, Size string }

func (s *scenario) writePage(dir string) error {
	p, err := s.page(dir)
	if err != nil {
		return err
	}
	b, err := scenarioHTML(p)
	if err != nil {
		return fmt.Errorf("render %s: %w", pageFile, err)
	}
	return writeFile(filepath.Join(dir, pageFile), b)
}

func (s *scenario) page(dir string) (page, error) {
	links, err := linksIn(dir)
	if err != nil {
		return page{}, err
	}
	b := badgeOf(s.result.Status)
	p := page{Title: b.Word + " " + s.result.Name, Name: s.result.Name, Claim: s.result.Claim, Badge: b, Reason: s.result.Reason,
		Links: links, Overview: exists(filepath.Join(dir, "..", runFile))}
	if s.measured {
		s.fillPage(&p)
	}
	return p, nil
}

func (s *scenario) fillPage(p *page) {
	plan := s.run.Plan
	p.Partial = !s.run.Complete
	p.Reproduce = reproduce(plan.Scenario, plan.Seed)
	p.Facts = facts(plan, s.result.Seconds)
	p.Planned = integer(s.result.Requests.Planned)
	p.Requests = shares(s.result.Requests)
	p.Cards = s.cards()
	p.Groups = s.groups()
	p.Nodes = nodeRows(s.run)
	p.Faults = faultRows(s.judgement.Faults, loadStart(s.run))
	p.Windows, p.Untold = windowRows(s.run, s.judgement.Faults)
	p.Recovered = recoveryRows("", s.result.Recoveries)
	if s.result.Requests.Planned > 0 {
		t := newTimeline(s.run, s.judgement.Faults)
		p.Timeline, p.Bucket = &t, bucketText(t.Step)
	}
}

func facts(plan evidence.Plan, seconds float64) []value {
	all := []value{{"scenario", plan.Scenario}, {"seed", strconv.FormatUint(plan.Seed, 10)}, {"driver", plan.Driver},
		{"started", moment(plan.Epoch)}, {"took", secondsText(seconds)}}
	for _, s := range plan.Load {
		all = append(all, value{"load, " + s.Name, s.Shape})
	}
	for _, name := range slices.Sorted(maps.Keys(plan.Versions)) {
		all = append(all, value{name, plan.Versions[name]})
	}
	return all
}

func shares(r Requests) []share {
	var all []share
	for _, o := range evidence.Outcomes() {
		n := r.of(o)
		s := share{Class: string(o), Text: integer(n), Some: n > 0, Percent: "0"}
		if r.Planned > 0 {
			s.Percent = strconv.FormatFloat(float64(n)*100/float64(r.Planned), 'f', 3, 64)
		}
		all = append(all, s)
	}
	return all
}
