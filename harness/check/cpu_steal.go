package check

import (
	"sort"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// cpuSteal are the times in which a hypervisor kept the machine from running, by the kernel's own account, ascending. Each is as
// long as the observer's looks tell.
type cpuSteal []evidence.Span

func newCPUSteal(run *evidence.Run) cpuSteal {
	var all []evidence.Span
	from, under := time.Duration(0), false
	for _, o := range evidence.Observations.Each(run) {
		switch {
		case o.Source != evidence.SourceMachine:
		case o.What == evidence.SawStolen && !under:
			from, under = o.At, true
		case o.What != evidence.SawStolen && under:
			all, under = append(all, evidence.Span{From: from, To: o.At}), false
		}
	}
	if under {
		all = append(all, evidence.Span{From: from, To: evidence.Forever})
	}
	return evidence.Merge(all)
}

// met reports whether the request was under way at such a time.
func (s cpuSteal) met(t *Timing) bool {
	next := sort.Search(len(s), func(i int) bool { return s[i].To >= t.Due })
	return next < len(s) && s[next].From <= t.End
}

// mostLeftOut is the share of requests that a comparison may leave out: what is left must be most of them.
const mostLeftOut = 0.5

// undisturbed are how long requests took, but for those that CPU steal time may have delayed.
type undisturbed struct {
	latencies, services []time.Duration
	leftOut             int
}

// undisturbedOf are those of which is, given the place and the timing, reports true.
func undisturbedOf(run *evidence.Run, is func(int, *Timing) bool) (u undisturbed) {
	steal, all, n := evidence.Derive(run, newCPUSteal), Timings(run), 0
	for i := range all {
		if is(i, &all[i]) {
			n++
		}
	}
	u.latencies, u.services = make([]time.Duration, 0, n), make([]time.Duration, 0, n)
	for i := range all {
		switch t := &all[i]; {
		case !is(i, t):
		case steal.met(t):
			u.leftOut++
		default:
			u.latencies, u.services = append(u.latencies, t.Latency()), append(u.services, t.Service())
		}
	}
	return u
}

// tooMany reports whether what was left out is most of it.
func (u undisturbed) tooMany() bool {
	return float64(u.leftOut) > mostLeftOut*float64(u.leftOut+len(u.latencies))
}
