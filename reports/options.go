package reports

import (
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Options are what systems under test add to the pages. The zero value adds nothing. All of it is a function of the evidence
// alone, and is asked about runs of other systems, too.
type Options struct {
	Lanes []Lane
	Trail Trail
}

// Lane is a line in the chart of what is in flight, beside the requests themselves. It is left out where nothing ever was.
type Lane struct {
	Title string // what is in flight, in the plural
	Of    func(*evidence.Run) []evidence.Span
}

// Trail finds what records other than the client's say of a request that a verdict rests on, source by source.
type Trail func(*evidence.Run, *evidence.Request) []Line

// Line is what one record says of a request.
type Line struct {
	Source string        // whose record it is
	At     time.Duration // offset from the epoch, 0 where unknown
	Text   string        // empty: the source has no record of the request, which often is the finding
}
