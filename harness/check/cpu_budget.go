package check

import (
	"fmt"
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

// CPUWithin: under load all nodes of the service together used no more CPU time than the budget of as many nodes and requests. So a service
// that turns round and round fails, although it takes from the load generator what it needs to be on time.
//
// What was used between two scrapes of different boots does not count: a new boot counts from its first scrape. Unknown if a node that was
// scraped does not export process_cpu_seconds_total, or one was never scraped twice.
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
		var used float64
		for _, p := range Replicas(r.Run) {
			seconds, err := p.cpuUsed(load.Span())
			if err != nil {
				f.doubts("%w", err)
			}
			used += seconds
		}
		length, n := (load.To - load.From).Seconds(), len(evidence.Requests.Of(r.Run))
		allowed := budget.Idle*length*float64(len(nodes)) + budget.PerRequest.Seconds()*float64(n)
		figures := map[string]float64{"cpu_s": used, "allowed_s": allowed}
		if used > allowed {
			f.breaks("%d nodes used %.1f s of CPU time in %.1f s, for %d requests; %.1f s are allowed", len(nodes), used, length, n, allowed)
		}
		return f.verdict(figures, "%d nodes used %.1f s of CPU time in %.1f s, for %d requests; %.1f s are allowed", len(nodes), used, length, n, allowed)
	}).Timeless()
}

// cpuUsed is the CPU time that the replica used in a span, in seconds.
func (r *Replica) cpuUsed(within evidence.Span) (sum float64, err error) {
	var last *evidence.Sample
	scrapes := 0
	for i := range r.Samples {
		s := &r.Samples[i]
		if s.Error != "" || !within.Holds(s.At) {
			continue
		}
		v, exported := s.Values[MetricCPU]
		if !exported {
			return sum, fmt.Errorf("%s does not export %s", r.Name, MetricCPU)
		}
		if last != nil && last.Boot == s.Boot {
			sum += v - last.Values[MetricCPU]
		}
		last = s
		scrapes++
	}
	if scrapes < 2 {
		return sum, fmt.Errorf("%s was not scraped twice under load", r.Name)
	}
	return sum, nil
}
