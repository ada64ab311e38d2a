package reports

import (
	"fmt"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// windowRow is how the requests fared that were due in a window.
type windowRow struct {
	Name, From, To                           string
	Requests, Failed, Refused, P50, P99, Max string
	Failing                                  bool
}

// windowRows describes the windows into which the faults divide the load, and why some are not told.
func windowRows(run *evidence.Run, faults []check.Certified) (rows []windowRow, missing string) {
	if len(faults) == 0 {
		return nil, ""
	}
	told, missing := check.Windows(run, faults)
	for _, w := range told {
		rows = append(rows, newWindowRow(run, w))
	}
	return rows, missing
}

func newWindowRow(run *evidence.Run, w evidence.Window) windowRow {
	var failed, refused int
	var ds []time.Duration
	for c := range run.Calls() {
		if !waited(c) || c.Due < w.From || c.Due >= w.To {
			continue
		}
		ds = append(ds, latency(c))
		switch c.Outcome {
		case evidence.Failed, evidence.Ambiguous:
			failed++
		case evidence.Refused:
			refused++
		}
	}
	zero, n := loadStart(run), len(ds)
	row := windowRow{Name: w.Name, From: since(w.From, zero), To: since(w.To, zero), Requests: integer(uint64(n)),
		Failed: shareOf(failed, n), Refused: shareOf(refused, n), P50: none, P99: none, Max: none, Failing: failed > 0}
	if q := quantilesOf(ds); q.Known {
		row.P50, row.P99, row.Max = duration(q.P50), duration(q.P99), duration(q.Max)
	}
	return row
}

func since(at, zero time.Duration) string { return fmt.Sprintf("%.3f s", (at - zero).Seconds()) }

func shareOf(n, of int) string {
	if of == 0 {
		return none
	}
	return percent(float64(n) / float64(of))
}
