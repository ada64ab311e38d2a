package reports

import (
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

// windowRows describes the windows into which the judge divided the load, and why some cannot be told.
func windowRows(run *evidence.Run, j check.Judgement) (rows []windowRow, missing string) {
	for _, w := range j.Windows {
		rows = append(rows, newWindowRow(run, w))
	}
	return rows, j.Untold
}

func newWindowRow(run *evidence.Run, w evidence.Window) windowRow {
	var failed, refused int
	var ds []time.Duration
	for _, t := range evidence.Requests.Each(run) {
		if !t.Waited() || t.Due < w.From || t.Due >= w.To {
			continue
		}
		ds = append(ds, t.Latency())
		switch t.Outcome {
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

func shareOf(n, of int) string {
	if of == 0 {
		return none
	}
	return percent(float64(n) / float64(of))
}
