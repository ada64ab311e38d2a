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
	l := evidence.Derive(run, newLags)
	if l.sent == 0 {
		return unknown("no request was sent")
	}
	figures := map[string]float64{"lag_p50_ms": ms(l.p50), "lag_p99_ms": ms(l.p99), "lag_max_ms": ms(l.most), "unsent": float64(l.unsent)}
	switch {
	case l.unsent > 0:
		return unknown("%d planned requests were not sent", l.unsent).with(figures)
	case l.least < -lagLimit:
		return unknown("requests were sent up to %.0f ms before they were due", -ms(l.least)).with(figures)
	case l.p99 > lagLimit:
		return unknown("requests were sent late: lag p99 %.1f ms, limit %.0f ms", ms(l.p99), ms(lagLimit)).with(figures)
	}
	return pass(figures, "the load kept its schedule: lag p99 %.1f ms", ms(l.p99))
}

// lags are how much later than they were due requests were sent.
type lags struct {
	sent, unsent          int
	least, p50, p99, most time.Duration
}

func newLags(run *evidence.Run) lags {
	all := make([]time.Duration, 0, len(readBriefs(run)))
	var l lags
	for _, c := range eachBrief(run) {
		if c.Outcome == evidence.Unsent {
			l.unsent++
			continue
		}
		all = append(all, c.Sent-c.Due)
	}
	if l.sent = len(all); l.sent == 0 {
		return l
	}
	slices.Sort(all)
	l.least, l.p50, l.p99, l.most = all[0], percentile(all, 50), percentile(all, 99), all[len(all)-1]
	return l
}

// keptSchedule says whether latencies are the service's. Where they are not, a check that rests on them proves nothing,
// neither for nor against it.
func keptSchedule(run *evidence.Run) bool { return loadKeptSchedule(run).Status == Pass }
