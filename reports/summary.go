package reports

import (
	"bytes"
	"fmt"
	"strings"
)

// summary is Markdown for the summary of a CI job.
func summary(r Results, rows []overviewRow) []byte {
	var b bytes.Buffer
	overall := badgeOf(r.Status())
	fmt.Fprintf(&b, "## %s %s: %s\n\n", overall.Icon, overall.Word, tally(r))
	fmt.Fprintf(&b, "Run %s, started %s, seed %d, driver %s.\n\n", markdown(r.Run), moment(r.Started), r.Seed, markdown(r.Driver))
	if len(rows) == 0 {
		return b.Bytes()
	}
	b.WriteString("| scenario | verdict | requests | dropped | p99 | LLM calls | saved | took | reason |\n")
	b.WriteString("|---|---|---:|---:|---:|---:|---:|---:|---|\n")
	for _, row := range rows {
		fmt.Fprintf(&b, "| %s | %s %s | %s | %s | %s | %s | %s | %s | %s |\n", markdown(row.Name), row.Badge.Icon, row.Badge.Word,
			row.Requests, row.Dropped, row.P99, row.Upstream, row.Saved, row.Took, markdown(row.Reason))
	}
	summaryRecoveries(&b, r)
	for _, row := range rows {
		if row.Status == Fail || row.Status == Unknown {
			summaryDetail(&b, row, r.Seed)
		}
	}
	return b.Bytes()
}

// summaryRecoveries shows how each fault was overcome beside what the configuration lets it take at least.
func summaryRecoveries(b *bytes.Buffer, r Results) {
	rows := allRecoveries(r)
	if len(rows) == 0 {
		return
	}
	b.WriteString("\n| scenario | fault | target | failover | floor | hits again | misses again | since |\n|---|---|---|---:|---:|---:|---:|---|\n")
	for _, row := range rows {
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", markdown(row.Scenario), markdown(row.Fault), markdown(row.Target),
			row.Failover, row.Floor, row.Hits, row.Misses, row.Since)
	}
	outages := outageRows(r.Scenarios)
	if len(outages) == 0 {
		return
	}
	b.WriteString("\n| failovers of | faults | floor | shortest | median | longest |\n|---|---:|---:|---:|---:|---:|\n")
	for _, row := range outages {
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", markdown(row.Dependency), row.Faults, row.Floor, row.Min, row.Median, row.Max)
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
		if !f.Certified {
			fmt.Fprintf(b, "- fault **%s** on %s is not certified\n", markdown(f.Name), markdown(f.Target))
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
