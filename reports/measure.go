package reports

import (
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

func count(run *evidence.Run) Requests {
	all, n := evidence.Requests.Of(run), map[evidence.Outcome]uint64{}
	for _, t := range all {
		n[t.Outcome]++
	}
	return Requests{Planned: uint64(len(all)), OK: n[evidence.OK] + n[evidence.Rejected], Refused: n[evidence.Refused], Failed: n[evidence.Failed],
		Ambiguous: n[evidence.Ambiguous], Aborted: n[evidence.Aborted], Unsent: n[evidence.Unsent]}
}

// of gives the count of one outcome.
func (r Requests) of(o evidence.Outcome) uint64 {
	return map[evidence.Outcome]uint64{evidence.OK: r.OK, evidence.Refused: r.Refused, evidence.Failed: r.Failed,
		evidence.Ambiguous: r.Ambiguous, evidence.Aborted: r.Aborted, evidence.Unsent: r.Unsent}[o]
}

// quantiles of durations; Known is false when there were none.
type quantiles struct {
	P50, P99, Max time.Duration
	Known         bool
}

func quantilesOf(ds []time.Duration) quantiles {
	if len(ds) == 0 {
		return quantiles{}
	}
	slices.Sort(ds)
	return quantiles{P50: check.Percentile(ds, 50), P99: check.Percentile(ds, 99), Max: ds[len(ds)-1], Known: true}
}

func latencies(run *evidence.Run) quantiles {
	var ds []time.Duration
	for _, t := range evidence.Requests.Each(run) {
		if t.Waited() {
			ds = append(ds, t.Latency())
		}
	}
	return quantilesOf(ds)
}

func lags(run *evidence.Run) quantiles {
	var ds []time.Duration
	for _, t := range evidence.Requests.Each(run) {
		if t.Outcome != evidence.Unsent {
			ds = append(ds, t.Sent-t.Due)
		}
	}
	return quantilesOf(ds)
}

func lagOf(q quantiles) Lag { return Lag{P50: ms(q.P50), P99: ms(q.P99), Max: ms(q.Max)} }

// ms converts to milliseconds, to the microsecond: more digits would only be noise.
func ms(d time.Duration) float64 { return check.Milliseconds(d.Round(time.Microsecond)) }

// secondsOf is the span of all phases.
func secondsOf(run *evidence.Run) float64 {
	phases := evidence.Windows.Of(run)
	if len(phases) == 0 {
		return 0
	}
	from, to := phases[0].From, phases[0].To
	for _, w := range phases {
		from, to = min(from, w.From), max(to, w.To)
	}
	return ms(to-from) / 1000
}

// loadStart is what pages count time from.
func loadStart(run *evidence.Run) time.Duration {
	if w, ok := run.Window(evidence.PhaseLoad); ok {
		return w.From
	}
	for _, q := range evidence.Requests.Each(run) {
		return q.Due
	}
	return 0
}
