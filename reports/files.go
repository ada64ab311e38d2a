package reports

import (
	"slices"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Names of the files that reports are written to: in a session's folder, and the page in a scenario's.
const (
	indexFile   = "index.html"
	resultsFile = "results.json"
	junitFile   = "junit.xml"
	summaryFile = "summary.md"
	pageFile    = "report.html"
)

// unbegun are those scenarios that have left no folder either: of one that was begun when its run was killed, the folder tells.
func unbegun(s evidence.Session, begun []*scenario) []evidence.NotRun {
	return slices.DeleteFunc(slices.Clone(s.NotRun), func(n evidence.NotRun) bool {
		return slices.ContainsFunc(begun, func(b *scenario) bool { return b.folder == n.Name })
	})
}
