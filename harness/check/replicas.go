package check

import (
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Replica is a node of the service, and what was scraped of it.
type Replica struct {
	Name    string
	Samples []evidence.Sample // by time
	Ended   time.Duration     // its last exit; 0 if it never ended
}

type replicas []Replica

// Replicas are the nodes of the service by name.
func Replicas(run *evidence.Run) []Replica { return evidence.Derive(run, newReplicas) }

func newReplicas(run *evidence.Run) replicas {
	subjects := run.Subjects()
	all, places := make(replicas, len(subjects)), map[string]int{}
	for i, n := range subjects {
		all[i].Name, places[n.Name] = n.Name, i
	}
	for _, s := range evidence.Samples.Each(run) {
		if i, ok := places[s.Node]; ok {
			all[i].Samples = append(all[i].Samples, *s)
		}
	}
	for _, e := range evidence.Exits.Each(run) {
		if i, ok := places[e.Node]; ok {
			all[i].Ended = e.At
		}
	}
	return all
}

// AtRest are the scrapes of the replica's last boot after a moment since which the system has been at rest.
func (r *Replica) AtRest(since time.Duration) (rest []evidence.Sample) {
	for _, s := range slices.Backward(r.Samples) {
		if s.At <= since || s.At <= r.Ended || s.Error != "" || len(rest) > 0 && s.Boot != rest[0].Boot {
			break
		}
		rest = append(rest, s)
	}
	slices.Reverse(rest)
	return rest
}
