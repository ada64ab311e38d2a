package reports

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// summary is Markdown for the summary of a CI job.
func summary(r Results, o overview) []byte {
	var b bytes.Buffer
	overall := badgeOf(r.Status())
	fmt.Fprintf(&b, "## %s %s: %s\n\n", overall.Icon, overall.Word, tally(r))
	fmt.Fprintf(&b, "Run %s, started %s, seed %d, driver %s.\n", markdown(r.Run), moment(r.Started), r.Seed, markdown(r.Driver))
	if len(o.Rows) == 0 {
		return b.Bytes()
	}
	summaryScenarios(&b, o)
	summaryRecoveries(&b, allRecoveries(r))
	summaryOutages(&b, outageRows(r.Scenarios))
	for _, row := range o.Rows {
		if row.Status == Fail || row.Status == Unknown {
			summaryDetail(&b, row, r.Seed)
		}
	}
	return b.Bytes()
}

func summaryScenarios(b *bytes.Buffer, o overview) {
	t := newMarkdownTable(b, text("scenario", "verdict"), numbers("requests", "p99"), numbers(o.Titles...), numbers("took"), text("reason"))
	for _, row := range o.Rows {
		cells := []string{row.Name, row.Badge.Icon + " " + row.Badge.Word, row.Requests, row.P99}
		for _, h := range row.Headlines {
			cells = append(cells, h.Text)
		}
		t.row(append(cells, row.Took, row.Reason))
	}
}

// summaryRecoveries shows how each fault was overcome beside what the configuration lets it take at least.
func summaryRecoveries(b *bytes.Buffer, r recoveryTable) {
	if len(r.Rows) == 0 {
		return
	}
	t := newMarkdownTable(b, text("scenario", "fault", "target"), numbers("failover", "floor"), numbers(r.Classes...), text("since"))
	for _, row := range r.Rows {
		cells := append([]string{row.Scenario, row.Fault, row.Target, row.Failover, row.Floor}, row.Classes...)
		t.row(append(cells, row.Since))
	}
}

func summaryOutages(b *bytes.Buffer, rows []outageRow) {
	if len(rows) == 0 {
		return
	}
	t := newMarkdownTable(b, text("failovers of"), numbers("faults", "floor", "shortest", "median", "longest"))
	for _, row := range rows {
		t.row([]string{row.Dependency, row.Faults, row.Floor, row.Min, row.Median, row.Max})
	}
}

func summaryDetail(b *bytes.Buffer, row overviewRow, seed uint64) {
	fmt.Fprintf(b, "\n### %s %s\n\n", row.Badge.Icon, markdown(row.Name))
	if row.Claim != "" {
		fmt.Fprintf(b, "Claim: %s\n\n", markdown(row.Claim))
	}
	for _, c := range row.Failing {
		fmt.Fprintf(b, "- %s **%s** (%s): %s\n", badgeOf(Status(c.Status.String())).Word, markdown(c.Name), c.Kind, markdown(c.Reason))
	}
	for _, f := range row.Faults {
		if !f.Confirmed {
			fmt.Fprintf(b, "- fault **%s** on %s is not confirmed\n", markdown(f.Name), markdown(f.Target))
		}
	}
	if len(row.Failing) > 0 || len(row.Faults) > 0 {
		b.WriteString("\n")
	}
	fmt.Fprintf(b, "Again: <code>%s</code>\n", markdown(reproduce(row.Name, seed)))
}

// markdown makes text harmless inside a table cell: one line, and no character that Markdown or HTML acts on.
func markdown(text string) string {
	return strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ", "|", "\\|", "<", "&lt;", ">", "&gt;", "&", "&amp;",
		"`", "\\`", "*", "\\*", "_", "\\_", "[", "\\[", "]", "\\]", "\\", "\\\\").Replace(text)
}

// markdownTable writes the rows of a table, cell by cell.
type markdownTable struct{ b *bytes.Buffer }

// column is a column's title and what Markdown calls its alignment.
type column struct{ title, rule string }

func text(titles ...string) []column { return aligned("---", titles) }

func numbers(titles ...string) []column { return aligned("---:", titles) }

func aligned(rule string, titles []string) (all []column) {
	for _, title := range titles {
		all = append(all, column{title, rule})
	}
	return all
}

// newMarkdownTable writes the head of a table.
func newMarkdownTable(b *bytes.Buffer, columns ...[]column) markdownTable {
	var titles, rules []string
	for _, c := range slices.Concat(columns...) {
		titles, rules = append(titles, c.title), append(rules, c.rule)
	}
	b.WriteString("\n")
	t := markdownTable{b}
	t.row(titles)
	fmt.Fprintf(b, "|%s|\n", strings.Join(rules, "|"))
	return t
}

func (t markdownTable) row(cells []string) {
	for _, c := range cells {
		fmt.Fprintf(t.b, "| %s ", markdown(c))
	}
	t.b.WriteString("|\n")
}
