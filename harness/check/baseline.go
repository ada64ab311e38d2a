package check

import (
	"fmt"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// leastNormal is how many requests of a class a normal latency must rest on: of fewer, one slow request is the p99.
const leastNormal = 20

// baseline is how fast the run's requests were before any fault, and before a moment such as the order of a fault, by class.
type baseline struct {
	Classes
	late bool // the load did not keep its schedule
	p99  []time.Duration
	over []time.Duration // that the p99 is over the median
	n    []int           // requests that each p99 rests on
}

// baselineAt measures the requests that were answered before the moment until and before any fault was ordered.
func baselineAt(r *Run, until time.Duration) (baseline, error) {
	until = min(until, firstOrder(r.Run))
	if b, measured := r.baselines[until]; measured {
		return b, nil
	}
	classes, err := r.Classes()
	if err != nil {
		return baseline{}, err
	}
	b := baseline{Classes: classes, late: !keptSchedule(r.Run)}
	all := evidence.Requests.Of(r.Run)
	before := firstDue(all, until)
	latencies := make([][]time.Duration, len(classes.Names))
	for class, n := range classes.count(before) {
		latencies[class] = make([]time.Duration, 0, n)
	}
	for i := range all[:before] {
		q := &all[i]
		if class := classes.Of[i]; q.Succeeded() && q.End < until {
			latencies[class] = append(latencies[class], q.Latency())
		}
	}
	for _, all := range latencies {
		p99 := percentile(all, 99)
		b.p99, b.over, b.n = append(b.p99, p99), append(b.over, p99-percentile(all, 50)), append(b.n, len(all))
	}
	r.baselines[until] = b
	return b, nil
}

// firstOrder is the moment at which the first fault was ordered: from there on, nothing is normal. It is Forever if none was.
func firstOrder(run *evidence.Run) time.Duration {
	first := evidence.Forever
	for _, in := range evidence.Injections.Each(run) {
		first = min(first, in.Ordered)
	}
	return first
}

// normal is the p99 of the latencies of the class of the request at that place.
func (b baseline) normal(place int) (time.Duration, error) { return b.ofClass(b.Of[place]) }

// ofClass is the p99 of the latencies of a class, which is given by its place in Names. The error says how many there are, where
// they are too few.
func (b baseline) ofClass(class uint8) (time.Duration, error) {
	if n := b.n[class]; n < leastNormal {
		return 0, fmt.Errorf("only %d %s were answered before any fault, too few to tell what is normal", n, withClass("requests", b.Names[class]))
	}
	return b.p99[class], nil
}

// detour is by how much more the slowest requests of some class differ from the usual ones than those of this class do. A request that meets a
// fault goes another way than usual, which may be the way of that class: its latency then differs as much.
func (b baseline) detour(class uint8) (most time.Duration) {
	for other, over := range b.over {
		if b.n[other] >= leastNormal {
			most = max(most, over-b.over[class])
		}
	}
	return most
}

// blameless reports whether the load generator alone may be to blame for a request that took longer than limit, where service
// is the service's part: it was sent so late, or the load as a whole kept no schedule, so that the service was asked at other
// times than was planned.
func (b baseline) blameless(service, limit time.Duration) bool { return b.late || service <= limit }

// Percentile of sorted values, 0 to 100, by the nearest-rank method, so that it is always a value that occurred.
func Percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(p/100*float64(len(sorted)) + 0.999999)
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// Milliseconds is how figures give a duration.
func Milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
