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
func (s cpuSteal) met(q *evidence.Request) bool {
	next := sort.Search(len(s), func(i int) bool { return s[i].To >= q.Due })
	return next < len(s) && s[next].From <= q.End
}

// mostLeftOut is the share of requests that a comparison may leave out: what is left must be most of them.
const mostLeftOut = 0.5

// undisturbed are how long requests took, but for those that CPU steal time may have delayed.
type undisturbed struct {
	latencies, services []time.Duration
	leftOut             int
}

// undisturbedOf are those that were due in the window and of which is, given the place and the request, reports true.
func undisturbedOf(run *evidence.Run, w evidence.Window, is func(int, *evidence.Request) bool) (u undisturbed) {
	steal, all := evidence.Derive(run, newCPUSteal), evidence.Requests.Of(run)
	first := firstDue(all, w.From)
	for i := range all[first:max(first, firstDue(all, w.To))] {
		place := first + i
		q := &all[place]
		switch {
		case !is(place, q):
		case steal.met(q):
			u.leftOut++
		default:
			u.latencies, u.services = append(u.latencies, q.Latency()), append(u.services, q.Service())
		}
	}
	return u
}

// tooMany reports whether what was left out is most of it.
func (u undisturbed) tooMany() bool {
	return float64(u.leftOut) > mostLeftOut*float64(u.leftOut+len(u.latencies))
}
