package check

import (
	"errors"
	"fmt"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// HealthyBefore: when the load began, the last word of every observer on every node of the service was that it is up, and
// at least one had spoken of each.
func HealthyBefore() Check { return New("HealthyBefore", healthyBefore) }

func healthyBefore(r *Run) (Verdict, error) {
	load, err := r.Load()
	if err != nil {
		return Verdict{}, err
	}
	nodes, err := r.NeedSubjects()
	if err != nil {
		return Verdict{}, err
	}
	said := lastWords(r.Run, load.From)
	for _, n := range nodes {
		if len(said[n.Name]) == 0 {
			return Verdict{}, fmt.Errorf("nobody observed %s before the load", n.Name)
		}
		if down, is := calledDown(said[n.Name]); is {
			return Verdict{}, fmt.Errorf("%s called %s down when the load began", down.Source, n.Name)
		}
	}
	return Passf(map[string]float64{"nodes": float64(len(nodes))}, "all %d nodes of the service were up when the load began", len(nodes)), nil
}

// lastWords are what each observer last said of each node until a moment, up or down, by node and source.
func lastWords(run *evidence.Run, until time.Duration) map[string]map[string]evidence.Observation {
	all := map[string]map[string]evidence.Observation{}
	for _, o := range evidence.Observations.Each(run) {
		if o.At > until || o.What != evidence.SawUp && o.What != evidence.SawDown {
			continue
		}
		if all[o.Node] == nil {
			all[o.Node] = map[string]evidence.Observation{}
		}
		all[o.Node][o.Source] = *o
	}
	return all
}

// calledDown finds an observer that said last that the node is down: of several, the first by name.
func calledDown(said map[string]evidence.Observation) (down evidence.Observation, is bool) {
	for source, o := range said {
		if o.What == evidence.SawDown && (!is || source < down.Source) {
			down, is = o, true
		}
	}
	return down, is
}

// HealthyAfter: the last word of every observer on every node was that it is up. A node of the service that is down by then
// has failed to recover, unless it was the harness that failed to bring it back. Any other node leaves the run without a
// verdict, as does one of the service of which nobody spoke.
func HealthyAfter() Check { return New("HealthyAfter", healthyAfter) }

func healthyAfter(r *Run) (Verdict, error) {
	var f finding
	said := lastWords(r.Run, evidence.Forever)
	for _, n := range evidence.Nodes.Each(r.Run) {
		down, isDown := calledDown(said[n.Name])
		err := notBroughtBack(r.Run, n.Name)
		switch {
		case n.Subject && isDown && err == nil:
			f.breaks("%s had not recovered when the run ended: %s last called it down: %s", n.Name, down.Source, down.Detail)
		case n.Subject && isDown:
			f.doubts("%s was down when the run ended, and the harness had not brought it back: %w", n.Name, err)
		case isDown:
			f.doubts("%s was still down when the run ended, says %s: %s", n.Name, down.Source, down.Detail)
		case n.Subject && len(said[n.Name]) == 0:
			f.doubts("nobody observed %s", n.Name)
		}
	}
	nodes, err := r.NeedSubjects()
	if err != nil {
		f.doubts("%w", err)
	}
	return f.verdict(map[string]float64{"nodes": float64(len(nodes))},
		"all %d nodes of the service, and what was observed of the others, were up when the run ended", len(nodes))
}

// notBroughtBack is why the heal of a fault on the node is not done; nil if all are.
func notBroughtBack(run *evidence.Run, node string) error {
	for _, in := range evidence.Injections.Each(run) {
		switch {
		case in.Target != node:
		case in.Undo != "":
			return errors.New(in.Undo)
		case in.Healing == 0:
			return fmt.Errorf("the heal of %q was never ordered", in.Fault)
		}
	}
	return nil
}
