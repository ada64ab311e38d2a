package check

import (
	"fmt"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// leastNormal is how many requests of a class a normal latency must rest on: of fewer, one slow request is the p99.
const leastNormal = 20

// Baseline is how fast the run's requests were before a moment, such as the order of a fault, by class.
type Baseline struct {
	Classes
	Late bool // the load did not keep its schedule
	p99  []time.Duration
	n    []int // requests that each p99 rests on
}

// Baseline measures the requests that were answered before the moment until.
func (r *Run) Baseline(until time.Duration) (Baseline, error) {
	classes, err := r.Classes()
	if err != nil {
		return Baseline{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	b, known := r.baselines[until]
	if !known {
		b = newBaseline(r.Run, classes, until)
		r.baselines[until] = b
	}
	return b, nil
}

func newBaseline(run *evidence.Run, classes Classes, until time.Duration) Baseline {
	b := Baseline{Classes: classes, Late: !KeptSchedule(run), n: make([]int, len(classes.Names))}
	answered, all := func(t *Timing) bool { return t.Outcome == evidence.OK && t.End < until }, Timings(run)
	for i := range all {
		if answered(&all[i]) {
			b.n[classes.Of[i]]++
		}
	}
	for class, n := range b.n {
		latencies := make([]time.Duration, 0, n)
		for i := range all {
			if int(classes.Of[i]) == class && answered(&all[i]) {
				latencies = append(latencies, all[i].Latency())
			}
		}
		b.p99 = append(b.p99, percentile(latencies, 99))
	}
	return b
}

// Normal is the p99 of the latencies of the class of the request at that place.
func (b Baseline) Normal(place int) (time.Duration, error) { return b.ofClass(b.Of[place]) }

// ofClass is Normal of a class by its place in Names.
func (b Baseline) ofClass(class uint8) (time.Duration, error) {
	if n := b.n[class]; n < leastNormal {
		return 0, fmt.Errorf("only %d %s were answered before the fault, too few to tell what is normal", n, WithClass("requests", b.Names[class]))
	}
	return b.p99[class], nil
}

// Blameless reports whether the load generator alone may be to blame for a request that took longer than limit, where service
// is the service's part: it was sent so late, or the load as a whole kept no schedule, so that the service was asked at other
// times than was planned.
func (b Baseline) Blameless(service, limit time.Duration) bool { return b.Late || service <= limit }

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
