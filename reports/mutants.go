package reports

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/sentinel-chaos/sentinel/harness/check"
)

// mutantsPage is the index of a run of mutants, as text.
type mutantsPage struct {
	Run     string
	Overall badge
	Tally   string
	Facts   []value
	Shares  []shareOfMutants
	Groups  []matrixGroup
}

// shareOfMutants is how many mutants of a class were caught.
type shareOfMutants struct{ Class, Caught, Named string }

// matrixGroup is the matrix of one scenario: its control, then its mutants.
type matrixGroup struct {
	Scenario string
	Checks   []string
	Rows     []matrixRow
}

// Width is the number of columns: those of the checks and the two before them.
func (g matrixGroup) Width() int { return len(g.Checks) + 2 }

type matrixRow struct {
	Name, Link    string // Link is "" where there is no page
	Badge         badge
	Defect, Class string
	Reason        string
	Cells         []matrixCell // by the group's checks
}

type matrixCell struct {
	badge
	Check string
	Named bool // it must catch the mutant
}

// controlName is what the row of a control is called.
const controlName = "without a defect"

func newMutantsPage(r Results, m check.Matrix, measured []*scenario) mutantsPage {
	p := mutantsPage{Run: r.Run, Overall: badgeOf(Status(m.Status().String())), Tally: tallyOfMutants(m), Facts: runFacts(r)}
	for _, s := range append([]check.Share{m.All}, m.Classes...) {
		p.Shares = append(p.Shares, shareOfMutants{s.Class, portion(s.Caught, s.Mutants), portion(s.Named, s.Mutants)})
	}
	for _, c := range m.Controls {
		p.Groups = append(p.Groups, newMatrixGroup(c, m.Mutants, measured))
	}
	return p
}

func newMatrixGroup(c check.Control, mutants []check.MutantRow, measured []*scenario) matrixGroup {
	mutants = slices.DeleteFunc(slices.Clone(mutants), func(row check.MutantRow) bool { return row.Scenario != c.Scenario })
	g := matrixGroup{Scenario: c.Scenario, Checks: checksOf(c, mutants)}
	g.Rows = append(g.Rows, matrixRow{Name: controlName, Link: linkTo(c.Scenario, measured), Badge: badgeOf(statusOfTrial(c.Trial)), Reason: c.Reason,
		Cells: cells(c.Trial, g.Checks, "")})
	for _, row := range mutants {
		g.Rows = append(g.Rows, matrixRow{Name: row.Name, Link: linkTo(row.Name, measured), Badge: outcomeBadge(row.Outcome), Defect: row.Defect,
			Class: row.Class, Reason: row.Reason, Cells: cells(row.Trial, g.Checks, row.Check)})
	}
	return g
}

// checksOf are the checks that any run of the scenario had, and those that are named.
func checksOf(c check.Control, mutants []check.MutantRow) []string {
	known := map[string]bool{}
	add := func(t check.Trial) {
		for name := range t.Verdicts {
			known[name] = true
		}
	}
	add(c.Trial)
	for _, row := range mutants {
		add(row.Trial)
		known[row.Check] = true
	}
	return slices.Sorted(maps.Keys(known))
}

func linkTo(folder string, measured []*scenario) string {
	if slices.ContainsFunc(measured, func(m *scenario) bool { return m.folder == folder }) {
		return "./" + folder + "/" + pageFile
	}
	return ""
}

func statusOfTrial(t check.Trial) Status {
	if len(t.Verdicts) == 0 {
		return Skipped
	}
	return Status(t.Status.String())
}

func cells(t check.Trial, checks []string, named string) []matrixCell {
	var all []matrixCell
	for _, name := range checks {
		c := matrixCell{badge: badgeOf(Skipped), Check: name, Named: name == named}
		if s, ok := t.Verdicts[name]; ok {
			c.badge = badgeOf(Status(s.String()))
		}
		all = append(all, c)
	}
	return all
}

func outcomeBadge(o check.MutantOutcome) badge {
	var b badge
	switch o {
	case check.MutantCaught:
		b = badgeOf(Pass)
	case check.MutantCaughtOther, check.MutantSurvived:
		b = badgeOf(Fail)
	case check.MutantNotRun:
		b = badgeOf(Skipped)
	default:
		b = badgeOf(Unknown)
	}
	b.Word = strings.ToUpper(string(o))
	return b
}

// tallyOfMutants says how many mutants ended how, leaving out what did not occur.
func tallyOfMutants(m check.Matrix) string {
	var parts []string
	for _, c := range []struct {
		o    check.MutantOutcome
		word string
	}{{check.MutantSurvived, "survived"}, {check.MutantCaughtOther, "caught by another check only"}, {check.MutantNotProven, "not proven"},
		{check.MutantInconclusive, "inconclusive"}, {check.MutantNotRun, "not run"}, {check.MutantCaught, "caught by the named check"}} {
		n := 0
		for _, row := range m.Mutants {
			if row.Outcome == c.o {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, c.word))
		}
	}
	if len(parts) == 0 {
		return "no mutant in this run"
	}
	return strings.Join(parts, ", ")
}

// portion is n of all, also in percent.
func portion(n, all int) string {
	if all == 0 {
		return none
	}
	const tenths = 1000 // of a percent
	return fmt.Sprintf("%d of %d (%s %%)", n, all, number(math.Round(float64(n)*tenths/float64(all))/10))
}
