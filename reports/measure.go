package reports

import (
	"cmp"
	"iter"
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

func count(calls iter.Seq[evidence.Call]) Requests {
	var r Requests
	for c := range calls {
		r.Planned++
		switch c.Outcome {
		case evidence.OK:
			r.OK++
		case evidence.Refused:
			r.Refused++
		case evidence.Failed:
			r.Failed++
		case evidence.Ambiguous:
			r.Ambiguous++
		case evidence.Aborted:
			r.Aborted++
		case evidence.Unsent:
			r.Unsent++
		}
	}
	return r
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
	return quantiles{P50: rank(ds, 50), P99: rank(ds, 99), Max: ds[len(ds)-1], Known: true}
}

// rank is the nearest-rank percentile of sorted, non-empty durations: always a value that was measured.
func rank(sorted []time.Duration, percent int) time.Duration {
	return sorted[max(0, (len(sorted)*percent+99)/100-1)]
}

// waited tells whether a client waited for the call to its end: it was sent, and the plan did not close it.
func waited(c evidence.Call) bool {
	return c.Outcome != evidence.Unsent && c.Outcome != evidence.Aborted
}

// latency counts from due, so that a late load generator cannot hide a slow service.
func latency(c evidence.Call) time.Duration { return c.End - c.Due }

func latencies(calls iter.Seq[evidence.Call]) quantiles {
	var ds []time.Duration
	for c := range calls {
		if waited(c) {
			ds = append(ds, latency(c))
		}
	}
	return quantilesOf(ds)
}

func lags(calls iter.Seq[evidence.Call]) quantiles {
	var ds []time.Duration
	for c := range calls {
		if c.Outcome != evidence.Unsent {
			ds = append(ds, c.Sent-c.Due)
		}
	}
	return quantilesOf(ds)
}

func lagOf(q quantiles) Lag { return Lag{P50: ms(q.P50), P99: ms(q.P99), Max: ms(q.Max)} }

// ms converts to milliseconds, to the microsecond: more digits would only be noise.
func ms(d time.Duration) float64 { return float64(d.Round(time.Microsecond).Microseconds()) / 1000 }

// secondsOf is the span of all phases.
func secondsOf(run *evidence.Run) float64 {
	windows := slices.Collect(run.Windows())
	if len(windows) == 0 {
		return 0
	}
	from := slices.MinFunc(windows, func(a, b evidence.Window) int { return cmp.Compare(a.From, b.From) }).From
	to := slices.MaxFunc(windows, func(a, b evidence.Window) int { return cmp.Compare(a.To, b.To) }).To
	return ms(to-from) / 1000
}

// loadCalls counts the upstream calls from the start of the load: those of the warm-up are no part of the claim.
func loadCalls(run *evidence.Run) int {
	n, start := 0, loadStart(run)
	for u := range run.Upstream() {
		if u.Arrived >= start {
			n++
		}
	}
	return n
}

// figuresWith gives the figures of the first check that reports the named one.
func figuresWith(j check.Judgement, name string) map[string]float64 {
	for _, v := range j.Checks {
		if _, ok := v.Figures[name]; ok {
			return v.Figures
		}
	}
	return nil
}
