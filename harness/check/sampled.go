package check

import (
	"fmt"
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

const (
	// blindTicks and blindLimit bound the gap between two looks of a probe, whichever is longer: several scrapes lost to a
	// loaded machine do no harm, since high-water gauges keep the peaks, and a gauge has 5 s to return to zero.
	blindTicks = 5
	blindLimit = 2 * time.Second
	// refusalLimit is how long a node of the service may refuse to be scraped although no fault was on it.
	refusalLimit = 5 * time.Second
)

// ProbesSampled: from the start of the load to the end of the run's rest, every named node, or every node of the service if
// none is named, was scraped without a long gap, the certified downtime of faults on it aside. A probe that did not look
// leaves the run without a verdict; a node of the service that did not answer for 5 s fails it, unless a SIGTERM, kill
// or freeze that the harness had not healed may have kept it from that, certified or not.
func ProbesSampled(every time.Duration, nodes ...string) Check {
	return complete("ProbesSampled", func(run *evidence.Run) Verdict {
		watched, ok := watchedSpan(run)
		if !ok {
			return unknown("the start of the load is not recorded")
		}
		s := sampling{limit: max(blindLimit, blindTicks*every)}
		for n := range run.Nodes() {
			if slices.Contains(nodes, n.Name) || len(nodes) == 0 && n.Subject {
				s.node(n, looksAt(run, n.Name, watched), downtime(run, n.Name), harmed(run, n.Name, takesAway()...))
			}
		}
		figures := map[string]float64{"samples": float64(s.samples), "longest_gap_ms": ms(s.gap), "longest_refusal_ms": ms(s.refusal)}
		switch {
		case s.refused != "":
			return fail(figures, nil, "%s", s.refused)
		case s.nodes == 0 || s.nodes < len(nodes):
			return unknown("not every node that was to be scraped is part of the system").with(figures)
		case s.blind != "":
			return unknown("%s", s.blind).with(figures)
		}
		return pass(figures, "%d nodes were scraped throughout; the longest gap was %.0f ms", s.nodes, ms(s.gap))
	})
}

func watchedSpan(run *evidence.Run) (span, bool) {
	w, ok := run.Window(evidence.PhaseLoad)
	s := span{w.From, w.To}
	if q, rested := run.Window(evidence.PhaseQuiesce); rested {
		s.to = q.To
	}
	return s, ok
}

// looks are the moments at which a node was asked, and those at which it answered; both begin and end with the span's own.
type looks struct{ asked, answered []time.Duration }

func looksAt(run *evidence.Run, node string, within span) looks {
	l := looks{asked: []time.Duration{within.from}, answered: []time.Duration{within.from}}
	for s := range run.Samples() {
		if s.Node != node || !within.holds(s.At) {
			continue
		}
		l.asked = append(l.asked, s.At)
		if s.Error == "" {
			l.answered = append(l.answered, s.At)
		}
	}
	l.asked, l.answered = append(l.asked, within.to), append(l.answered, within.to)
	return l
}

// takesAway are the kinds of faults whose target does not answer.
func takesAway() []string {
	return []string{evidence.FaultTerm, evidence.FaultKill, evidence.FaultFreeze}
}

func downtime(run *evidence.Run, node string) (down []span) {
	for _, d := range disturbances(run, takesAway()...) {
		if d.Target == node {
			down = append(down, d.whole())
		}
	}
	return down
}

// harmed are the times in which a fault of the given kinds may have been on the node, although it need not be certified.
func harmed(run *evidence.Run, node string, kinds ...string) (times []span) {
	for in := range run.Injections() {
		switch {
		case in.Target != node || !slices.Contains(kinds, in.Kind()):
		case in.Healing == 0 || in.Undo != "":
			times = append(times, span{in.Ordered, forever})
		default:
			times = append(times, span{in.Ordered, in.Healing})
		}
	}
	return times
}

// sampling gathers the findings over all nodes.
type sampling struct {
	limit          time.Duration
	nodes, samples int
	gap, refusal   time.Duration
	blind, refused string
}

func (s *sampling) node(n evidence.Node, l looks, down, harmed []span) {
	s.nodes++
	s.samples += len(l.asked) - 2
	gap, refusal := longest(l.asked, down), longest(l.answered, down)
	s.gap, s.refusal = max(s.gap, gap), max(s.refusal, refusal)
	switch {
	case len(l.asked) == 2:
		s.blind = n.Name + " was never looked at"
	case gap > s.limit:
		s.blind = fmt.Sprintf("%s was not looked at for %.1f s", n.Name, gap.Seconds())
	case refusal > refusalLimit && longest(l.answered, harmed) <= refusalLimit:
		s.blind = fmt.Sprintf("%s did not answer scrapes for %.1f s, and a fault on it is not certified", n.Name, refusal.Seconds())
	case refusal > refusalLimit && n.Subject:
		s.refused = fmt.Sprintf("%s did not answer scrapes for %.1f s, and no fault was on it", n.Name, refusal.Seconds())
	case refusal > refusalLimit:
		s.blind = fmt.Sprintf("%s did not answer scrapes for %.1f s", n.Name, refusal.Seconds())
	}
}

// longest is the longest time between two moments, less the downtime in it.
func longest(at []time.Duration, down []span) (worst time.Duration) {
	down = merged(down)
	for i := 1; i < len(at); i++ {
		between := span{at[i-1], at[i]}
		gap := between.to - between.from
		for _, d := range down {
			gap -= between.overlap(d)
		}
		worst = max(worst, gap)
	}
	return worst
}
