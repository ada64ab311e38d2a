package check

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// MetricCPU is the CPU time that a process has used, in seconds, as Prometheus clients export it.
const MetricCPU = "process_cpu_seconds_total"

// CPUBudget is how much CPU time the nodes of a service may use.
type CPUBudget struct {
	Idle       float64       // cores of each node when nobody asks anything
	PerRequest time.Duration // beyond that, of all nodes together
}

const (
	// cpuSpan is over which time the use is looked at: long enough that what garbage collection and connections take at once is little of it.
	cpuSpan = 5 * time.Second
	// cpuBacklog is how much earlier a request may have been due that is worked at in it.
	cpuBacklog = 5 * time.Second
)

// CPUWithin: from the start of the load to the end of the run, in no five seconds did all nodes of the service together use more CPU time
// than the budget of as many nodes and of the requests that were due in that time or in the five seconds before. So a service that turns
// round and round while something is away fails, although it takes from the load generator what it needs to be on time.
//
// What was used between two scrapes that are further apart, or of different boots, does not count: a new boot counts from its first scrape.
// Unknown if a node that was scraped does not export process_cpu_seconds_total, or one was never scraped twice.
func CPUWithin(budget CPUBudget) Check {
	return New("CPUWithin", func(r *Run) (Verdict, error) {
		load, err := r.Load()
		if err != nil {
			return Verdict{}, err
		}
		nodes, err := r.NeedSubjects()
		if err != nil {
			return Verdict{}, err
		}
		var f finding
		var all []cpuUsed
		for _, p := range Replicas(r.Run) {
			used, err := p.cpuUsed(load.From)
			if err != nil {
				f.doubts("%w", err)
			}
			all = append(all, used...)
		}
		slices.SortFunc(all, func(a, b cpuUsed) int { return cmp.Compare(a.To, b.To) })
		figures := map[string]float64{}
		requests, idle := evidence.Requests.Of(r.Run), budget.Idle*cpuSpan.Seconds()*float64(len(nodes))
		var sum float64
		for i, last := range all {
			sum += last.seconds
			span := evidence.Span{From: last.To - cpuSpan, To: last.To}
			used := cpuUsedIn(all[:i+1], span)
			due := firstDue(requests, span.To+1) - firstDue(requests, span.From-cpuBacklog)
			allowed := idle + budget.PerRequest.Seconds()*float64(due)
			if share := used / allowed; share > figures["worst_share"] {
				figures["worst_share"] = share
			}
			if used > allowed {
				f.breaks("%d nodes used %.1f s of CPU time in the 5 s to %.1f s after the start of the load, for %d requests; %.1f s are allowed",
					len(nodes), used, (span.To - load.From).Seconds(), due, allowed)
			}
		}
		if n := len(requests); n > 0 {
			figures["cpu_per_request_ms"] = sum * 1000 / float64(n)
		}
		return f.verdict(figures, "%d nodes used %.2f ms of CPU time for each request, and in any 5 s at most %.0f %% of what is allowed",
			len(nodes), figures["cpu_per_request_ms"], 100*figures["worst_share"])
	}).Timeless()
}

// cpuUsed is the CPU time that a node used between two scrapes.
type cpuUsed struct {
	evidence.Span
	seconds float64
}

// cpuUsed is what the replica used from a moment on.
func (r *Replica) cpuUsed(from time.Duration) (all []cpuUsed, err error) {
	var last *evidence.Sample
	for i := range r.Samples {
		s := &r.Samples[i]
		if s.Error != "" || s.At < from {
			continue
		}
		v, exported := s.Values[MetricCPU]
		if !exported {
			return nil, fmt.Errorf("%s does not export %s", r.Name, MetricCPU)
		}
		if last != nil && last.Boot == s.Boot {
			all = append(all, cpuUsed{evidence.Span{From: last.At, To: s.At + s.Took}, v - last.Values[MetricCPU]})
		}
		last = s
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s was not scraped twice under load", r.Name)
	}
	return all, nil
}

// cpuUsedIn adds up what was used wholly within a span. The last of all ends with it.
func cpuUsedIn(all []cpuUsed, span evidence.Span) (sum float64) {
	for _, u := range slices.Backward(all) {
		if u.To < span.From {
			break
		}
		if u.From >= span.From {
			sum += u.seconds
		}
	}
	return sum
}
