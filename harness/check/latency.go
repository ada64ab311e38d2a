package check

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// WorstAddedLatency: from the order of the fault to the end of the run, no request took longer than is normal by more than
// limit, whatever became of it. Normal is the p99 of its class in the same run before any fault, and for classes whose requests differ
// less than those of another one, what these differ more by: see detour. Unknown unless the fault is confirmed, requests were due while it lasted, and it is known what is normal for each of them, or if only the load
// generator's lag, or time in which the machine was starved of CPU time, took some beyond the limit.
func WorstAddedLatency(fault string, limit time.Duration) Check {
	return New("WorstAddedLatency", func(r *Run) (Verdict, error) {
		f, err := r.Fault(fault)
		if err != nil {
			return Verdict{}, err
		}
		normal, err := baselineAt(r, f.Ordered)
		if err != nil {
			return Verdict{}, err
		}
		a := addedLatency(r.Run, f, normal, limit)
		v := Verdict{Figures: a.figures}
		switch {
		case len(a.over) > 0:
			return Failf(a.figures, a.over, "%d requests took more than %.0f ms longer than is normal, the worst %.0f ms, after %q",
				len(a.over), Milliseconds(limit), Milliseconds(a.worst), fault), nil
		case a.late > 0:
			return v, fmt.Errorf("%d requests took more than %.0f ms longer than is normal after %q, since the load generator was late",
				a.late, Milliseconds(limit), fault)
		case a.starved > 0:
			return v, fmt.Errorf("%d requests took more than %.0f ms longer than is normal after %q, while %s",
				a.starved, Milliseconds(limit), fault, evidence.Derive(r.Run, newHindrances))
		case a.during == 0:
			return v, fmt.Errorf("no request was due while %q lasted", fault)
		case a.unknown != nil:
			return v, a.unknown
		}
		return Passf(a.figures, "no request took more than %.1f ms longer than is normal after %q; %.0f ms are allowed",
			Milliseconds(a.worst), fault, Milliseconds(limit)), nil
	})
}

// added is how much longer than normal requests took.
type added struct {
	worst   time.Duration
	over    []uint64 // requests beyond the limit
	late    int      // others beyond it, for which the load generator alone may be to blame
	starved int      // others beyond it, but for the time in which the machine had too little CPU time
	during  int      // requests due while the fault lasted
	unknown error    // why it is not known what is normal for some
	figures map[string]float64
}

func addedLatency(run *evidence.Run, f Fault, b baseline, limit time.Duration) added {
	worst := slices.Repeat([]time.Duration{-1}, len(b.Names)) // by class; negative if none of its requests counts
	a := added{figures: map[string]float64{"limit_ms": Milliseconds(limit)}}
	for i, t := range evidence.Requests.Each(run) {
		if !t.Waited() || t.End < f.Ordered {
			continue
		}
		if (evidence.Span{From: f.Active, To: f.Healed}).Holds(t.Due) {
			a.during++
		}
		normal, err := b.normal(i)
		if err != nil {
			a.unknown = err
			continue
		}
		normal += b.detour(b.Of[i])
		more := max(0, t.Latency()-normal)
		worst[b.Of[i]] = max(worst[b.Of[i]], more)
		switch {
		case more > limit && b.blameless(t.Service(), normal+limit):
			a.late++
		case more > limit && more-evidence.Derive(run, newHindrances).during(t) <= limit:
			a.starved++
		case more > limit:
			a.over = append(a.over, t.Seq)
		}
	}
	for class, more := range worst {
		if more < 0 {
			continue
		}
		a.worst = max(a.worst, more)
		a.figures[figureOf("normal", b.Names[class], "ms")] = Milliseconds(b.p99[class] + b.detour(uint8(class)))
		a.figures[figureOf("worst_added", b.Names[class], "ms")] = Milliseconds(more)
	}
	return a
}

// leastCompared is how many latencies a p99 that is compared with another must rest on: of fewer, it is the slowest one.
const leastCompared = 100

// LatencyDuring: while the fault was in force, from when it was active to the order to heal it, the p99 of the requests of the
// class was at most factor times that of the same run before any fault. Requests that were under way during CPU steal time are left
// out on both sides; Unknown if they are more than half.
func LatencyDuring(fault, class string, factor float64) Check {
	return New("LatencyDuring", func(r *Run) (Verdict, error) {
		f, err := r.Fault(fault)
		if err != nil {
			return Verdict{}, err
		}
		classes, err := r.Classes()
		if err != nil {
			return Verdict{}, err
		}
		place := slices.Index(classes.Names, class)
		until := firstOrder(r.Run)
		before := undisturbedOf(r.Run, evidence.Window{To: until}, func(i int, t *evidence.Request) bool {
			return int(classes.Of[i]) == place && t.Succeeded() && t.End < until
		})
		during := undisturbedOf(r.Run, evidence.Window{From: f.Active, To: f.Healing}, func(i int, t *evidence.Request) bool {
			return int(classes.Of[i]) == place && t.Waited()
		})
		return compareLatency(r.Run, before, during, fault, withClass("requests", class), factor)
	})
}

func compareLatency(run *evidence.Run, before, during undisturbed, fault, requests string, factor float64) (Verdict, error) {
	figures := map[string]float64{"requests_before": float64(len(before.latencies)), "requests_during": float64(len(during.latencies)),
		"factor_allowed": factor, "left_out": float64(len(before.leftOut) + len(during.leftOut))}
	v := Verdict{Figures: figures}
	switch {
	case before.tooMany() || during.tooMany():
		return v, fmt.Errorf("of the %s before and during %q, %d and %d met CPU steal time: too many to leave out", requests, fault, len(before.leftOut), len(during.leftOut))
	case min(len(before.latencies), len(during.latencies)) < leastCompared:
		return v, fmt.Errorf("%d %s before and %d during %q are too few to compare; %d each are wanted",
			len(before.latencies), requests, len(during.latencies), fault, leastCompared)
	}
	was, now := percentile(before.latencies, 99), percentile(during.latencies, 99)
	is := float64(now) / float64(was)
	figures["before_p99_ms"], figures["during_p99_ms"], figures["factor"] = Milliseconds(was), Milliseconds(now), is
	switch {
	case is <= factor:
		return Passf(figures, "the p99 of %s was %.1f ms before and %.1f ms during %q, a factor of %.2f; %.0f met CPU steal time and are left out",
			requests, Milliseconds(was), Milliseconds(now), fault, is, figures["left_out"]), nil
	case !keptSchedule(run), float64(percentile(during.services, 99)) <= factor*float64(was):
		return v, fmt.Errorf("the p99 of %s rose from %.1f to %.1f ms during %q, since the load generator was late", requests, Milliseconds(was), Milliseconds(now), fault)
	}
	return Failf(figures, nil, "the p99 of %s rose from %.1f to %.1f ms during %q, by a factor of %.2f; %.2f is allowed",
		requests, Milliseconds(was), Milliseconds(now), fault, is, factor), nil
}

// leastMedian is how many latencies a median that is held against a limit must rest on.
const leastMedian = 20

// MedianWithin: before the first fault, or in all of the load if there was none, the median of the latencies of the requests of the
// class that succeeded was at most limit. Beside claims that compare a request with what is normal for the service, this one says
// what normal may be: else one that is slow in everything passes. Requests that were under way during CPU steal time are left out.
// If they are more than half, all of them count, since it makes none quicker, and the check is Unknown in place of failing. It is
// Unknown as well if what is left is too little.
func MedianWithin(class string, limit time.Duration) Check {
	return New("MedianWithin", func(r *Run) (Verdict, error) {
		classes, err := r.Classes()
		if err != nil {
			return Verdict{}, err
		}
		until := firstOrder(r.Run)
		place := slices.Index(classes.Names, class)
		normal := undisturbedOf(r.Run, evidence.Window{To: until}, func(i int, q *evidence.Request) bool {
			return int(classes.Of[i]) == place && q.Succeeded() && q.End < until
		})
		figures := map[string]float64{"requests": float64(len(normal.latencies)), "left_out": float64(len(normal.leftOut)), "limit_ms": Milliseconds(limit)}
		v, requests := Verdict{Figures: figures}, withClass("requests", class)
		switch {
		case normal.tooMany():
			with := percentile(append(normal.leftOut, normal.latencies...), 50)
			figures["median_ms"] = Milliseconds(with)
			if with <= limit {
				return Passf(figures, "the median of %d %s before any fault was %.1f ms, of which CPU steal time took a part; %.0f ms are allowed",
					len(normal.leftOut)+len(normal.latencies), requests, Milliseconds(with), Milliseconds(limit)), nil
			}
			return v, fmt.Errorf("%d of the %s before any fault met CPU steal time: too many to leave out", len(normal.leftOut), requests)
		case len(normal.latencies) < leastMedian:
			return v, fmt.Errorf("%d %s succeeded before any fault, too few for a median; %d are wanted", len(normal.latencies), requests, leastMedian)
		}
		median := percentile(normal.latencies, 50)
		figures["median_ms"] = Milliseconds(median)
		switch {
		case median <= limit:
			return Passf(figures, "the median of %d %s before any fault was %.1f ms; %.0f ms are allowed", len(normal.latencies), requests, Milliseconds(median), Milliseconds(limit)), nil
		case !keptSchedule(r.Run), percentile(normal.services, 50) <= limit:
			return v, fmt.Errorf("the median of %s before any fault was %.1f ms, since the load generator was late", requests, Milliseconds(median))
		}
		return Failf(figures, nil, "the median of %d %s before any fault was %.1f ms; %.0f ms are allowed", len(normal.latencies), requests, Milliseconds(median), Milliseconds(limit)), nil
	})
}

// LatencyWithin: that percentile, 0 to 100, of the latencies of the requests due in the window was at most limit, whatever
// became of them. Unknown if so few were due that the percentile would be the slowest of them (100 asks for the slowest),
// or if only the load generator's lag took it beyond the limit.
func LatencyWithin(window Window, percent float64, limit time.Duration) Check {
	return New("LatencyWithin", func(r *Run) (Verdict, error) {
		w, err := window(r)
		if err != nil {
			return Verdict{}, err
		}
		due := dueIn(r.Run, w)
		latencies := took(due, (*evidence.Request).Latency)
		n := len(latencies)
		figures := map[string]float64{"requests": float64(n), "limit_ms": Milliseconds(limit)}
		v := Verdict{Figures: figures}
		if least := leastFor(percent); n < least {
			return v, fmt.Errorf("%d requests were due in the window %q, too few for their p%g; %d are wanted", n, w.Name, percent, least)
		}
		fromDue := percentile(latencies, percent)
		figures["latency_ms"] = Milliseconds(fromDue)
		switch {
		case fromDue <= limit:
			return Passf(figures, "the p%g of %d requests in the window %q was %.1f ms; %.0f ms are allowed",
				percent, n, w.Name, Milliseconds(fromDue), Milliseconds(limit)), nil
		case !keptSchedule(r.Run), percentile(took(due, (*evidence.Request).Service), percent) <= limit:
			return v, fmt.Errorf("the p%g in the window %q was %.1f ms, since the load generator was late", percent, w.Name, Milliseconds(fromDue))
		}
		return Failf(figures, slower(due, limit), "the p%g of %d requests in the window %q was %.1f ms; %.0f ms are allowed",
			percent, n, w.Name, Milliseconds(fromDue), Milliseconds(limit)), nil
	})
}

// leastFor is how many values a percentile must rest on so as not to be the largest of them.
func leastFor(percent float64) int {
	if percent >= 100 {
		return 1
	}
	return int(math.Ceil(100/(100-percent) - rounding))
}

// took is what of tells of each request that somebody waited for.
func took(requests []evidence.Request, of func(*evidence.Request) time.Duration) []time.Duration {
	all := make([]time.Duration, 0, len(requests))
	for i := range requests {
		if q := &requests[i]; q.Waited() {
			all = append(all, of(q))
		}
	}
	return all
}

// percentile sorts the values.
func percentile(values []time.Duration, percent float64) time.Duration {
	slices.Sort(values)
	return Percentile(values, percent)
}

// slower are the numbers of those requests that somebody waited for longer than limit.
func slower(requests []evidence.Request, limit time.Duration) (seqs []uint64) {
	for i := range requests {
		if q := &requests[i]; q.Waited() && q.Latency() > limit {
			seqs = append(seqs, q.Seq)
		}
	}
	return seqs
}
