package reports

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/sentinel-chaos/sentinel/harness/check"
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
	Recovered recoveryTable
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
	Confirmed                        bool
	Missing                          string
}

type nodeRow struct {
	evidence.Node
	Exits []string
}

type link struct{ Href, Text, Size string }

// newPage says of a scenario what is known without its evidence.
func newPage(of Scenario) page {
	b := badgeOf(of.Status)
	return page{Title: b.Word + " " + of.Name, Name: of.Name, Claim: of.Claim, Badge: b, Reason: of.Reason}
}

func (p page) write(dir string) (err error) {
	if p.Links, err = linksIn(dir); err != nil {
		return err
	}
	p.Overview = exists(filepath.Join(dir, "..", evidence.SessionFile))
	b, err := scenarioHTML(p)
	if err != nil {
		return fmt.Errorf("render %s: %w", pageFile, err)
	}
	return evidence.WriteFile(filepath.Join(dir, pageFile), b)
}

// fill adds what the evidence shows.
func (p *page) fill(run *evidence.Run, j check.Judgement, result Scenario, opt Options) {
	plan, zero := run.Plan, loadStart(run)
	p.Partial = !run.Complete
	p.Reproduce = reproduce(plan.Scenario, plan.Seed)
	p.Facts = facts(plan, result.Seconds)
	p.Planned = integer(result.Requests.Planned)
	p.Requests = shares(result.Requests)
	p.Groups = groups(j, examples{run, zero, opt.Trail})
	p.Nodes = nodeRows(run, zero)
	p.Faults = faultRows(j.Faults, zero)
	p.Windows, p.Untold = windowRows(run, j)
	p.Recovered = newRecoveryTable(result)
	if result.Requests.Planned > 0 {
		t := newTimeline(run, j.Faults, opt.Lanes)
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
		if o == evidence.Rejected {
			continue // counted as ok
		}
		n := r.of(o)
		s := share{Class: string(o), Text: integer(n), Some: n > 0, Percent: "0"}
		if r.Planned > 0 {
			s.Percent = strconv.FormatFloat(float64(n)*100/float64(r.Planned), 'f', 3, 64)
		}
		all = append(all, s)
	}
	return all
}
