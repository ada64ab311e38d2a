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
	return spansOf(run, evidence.SourceMachine, evidence.SawStolen)
}

// spansOf are the times in which an observer of the machine saw it so.
func spansOf(run *evidence.Run, source, what string) []evidence.Span {
	var all []evidence.Span
	from, under := time.Duration(0), false
	for _, o := range evidence.Observations.Each(run) {
		switch {
		case o.Source != source:
		case o.What == what && !under:
			from, under = o.At, true
		case o.What != what && under:
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
	leftOut             []time.Duration // latencies of the others
}

// undisturbedOf are those that were due in the window and of which is, given the place and the request, reports true.
func undisturbedOf(run *evidence.Run, w evidence.Window, is func(int, *evidence.Request) bool) (u undisturbed) {
	steal, all := evidence.Derive(run, newCPUSteal), evidence.Requests.Of(run)
	first, end := firstDue(all, w.From), firstDue(all, w.To)
	room := max(0, end-first) // taken at once: what grows takes several times as much
	u.latencies, u.services = make([]time.Duration, 0, room), make([]time.Duration, 0, room)
	for place := first; place < end; place++ {
		q := &all[place]
		switch {
		case !is(place, q):
		case steal.met(q):
			u.leftOut = append(u.leftOut, q.Latency())
		default:
			u.latencies, u.services = append(u.latencies, q.Latency()), append(u.services, q.Service())
		}
	}
	return u
}

// tooMany reports whether what was left out is most of it.
func (u undisturbed) tooMany() bool {
	return float64(len(u.leftOut)) > mostLeftOut*float64(len(u.leftOut)+len(u.latencies))
}
