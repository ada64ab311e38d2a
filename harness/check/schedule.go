package check

import (
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// lagLimit bounds the 99th percentile of the time from due to sent: beyond it the latencies are the load generator's.
const lagLimit = 20 * time.Millisecond

// LoadKeptSchedule: every planned request was sent, and 99 of 100 within 20 ms of the moment they were due.
func LoadKeptSchedule() Check { return complete("LoadKeptSchedule", loadKeptSchedule) }

func loadKeptSchedule(run *evidence.Run) Verdict {
	var lags []time.Duration
	var unsent int
	for c := range run.Calls() {
		if c.Outcome == evidence.Unsent {
			unsent++
			continue
		}
		lags = append(lags, c.Sent-c.Due)
	}
	if len(lags) == 0 {
		return unknown("no request was sent")
	}
	slices.Sort(lags)
	p99 := percentile(lags, 99)
	figures := map[string]float64{"lag_p50_ms": ms(percentile(lags, 50)), "lag_p99_ms": ms(p99),
		"lag_max_ms": ms(lags[len(lags)-1]), "unsent": float64(unsent)}
	switch {
	case unsent > 0:
		return unknown("%d planned requests were not sent", unsent).with(figures)
	case lags[0] < -lagLimit:
		return unknown("requests were sent up to %.0f ms before they were due", -ms(lags[0])).with(figures)
	case p99 > lagLimit:
		return unknown("requests were sent late: lag p99 %.1f ms, limit %.0f ms", ms(p99), ms(lagLimit)).with(figures)
	}
	return pass(figures, "the load kept its schedule: lag p99 %.1f ms", ms(p99))
}

// keptSchedule says whether latencies are the service's. Where they are not, a check that rests on them proves nothing,
// neither for nor against it.
func keptSchedule(run *evidence.Run) bool { return loadKeptSchedule(run).Status == Pass }
