package check

import (
	"errors"
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

// takesAway are the kinds of faults whose target does not answer.
var takesAway = []string{evidence.FaultTerm, evidence.FaultKill, evidence.FaultPause}

// ProbesSampled: from the start of the load to the end of the run's rest, every named node, or every node of the service if
// none is named, was scraped without a long gap, the confirmed downtime of faults on it aside. A probe that did not look
// leaves the run without a verdict. A node of the service that did not answer for 5 s fails it, unless a SIGTERM, kill
// or pause that the harness had not healed may have kept it from that, confirmed or not.
func ProbesSampled(every time.Duration, nodes ...string) Check {
	return New("ProbesSampled", func(r *Run) (Verdict, error) {
		watched, err := watchedSpan(r)
		if err != nil {
			return Verdict{}, err
		}
		s := sampling{limit: max(blindLimit, blindTicks*every)}
		for _, n := range evidence.Nodes.Each(r.Run) {
			if slices.Contains(nodes, n.Name) || len(nodes) == 0 && n.Subject {
				s.node(r, n, looksAt(r.Run, n.Name, watched))
			}
		}
		figures := map[string]float64{"samples": float64(s.samples), "longest_gap_ms": Milliseconds(s.gap), "longest_refusal_ms": Milliseconds(s.refusal)}
		switch {
		case s.refused != "":
			return Failf(figures, nil, "%s", s.refused), nil
		case s.nodes == 0 || s.nodes < len(nodes):
			return Verdict{Figures: figures}, errors.New("not every node that was to be scraped is part of the system")
		case s.blind != nil:
			return Verdict{Figures: figures}, s.blind
		}
		return Passf(figures, "%d nodes were scraped throughout; the longest gap was %.0f ms", s.nodes, Milliseconds(s.gap)), nil
	})
}

func watchedSpan(r *Run) (evidence.Span, error) {
	load, err := r.Load()
	s := load.Span()
	if rest, rested := r.Window(evidence.PhaseQuiesce); rested {
		s.To = rest.To
	}
	return s, err
}

// looks are the moments at which a node was asked, and those at which it answered; both begin and end with the span's own.
type looks struct{ asked, answered []time.Duration }

func looksAt(run *evidence.Run, node string, within evidence.Span) looks {
	l := looks{asked: []time.Duration{within.From}, answered: []time.Duration{within.From}}
	for _, s := range evidence.Samples.Each(run) {
		if s.Node != node || !within.Holds(s.At) {
			continue
		}
		l.asked = append(l.asked, s.At)
		if s.Error == "" {
			l.answered = append(l.answered, s.At)
		}
	}
	l.asked, l.answered = append(l.asked, within.To), append(l.answered, within.To)
	return l
}

// sampling gathers the findings over all nodes.
type sampling struct {
	limit          time.Duration
	nodes, samples int
	gap, refusal   time.Duration
	blind          error  // why a node need not be watched well enough
	refused        string // what a node of the service failed to answer
}

func (s *sampling) node(r *Run, n *evidence.Node, l looks) {
	down := confirmedDowntime(r, n.Name)
	gap, refusal := longest(l.asked, down), longest(l.answered, down)
	s.nodes++
	s.samples += len(l.asked) - 2
	s.gap, s.refusal = max(s.gap, gap), max(s.refusal, refusal)
	switch {
	case len(l.asked) == 2:
		s.blind = fmt.Errorf("%s was never looked at", n.Name)
	case gap > s.limit:
		s.blind = fmt.Errorf("%s was not looked at for %.1f s", n.Name, gap.Seconds())
	case refusal > refusalLimit && longest(l.answered, r.UnderFault(n.Name, takesAway...)) <= refusalLimit:
		s.blind = fmt.Errorf("%s did not answer scrapes for %.1f s, and a fault on it is not confirmed", n.Name, refusal.Seconds())
	case refusal > refusalLimit && n.Subject:
		s.refused = fmt.Sprintf("%s did not answer scrapes for %.1f s, and no fault was on it", n.Name, refusal.Seconds())
	case refusal > refusalLimit:
		s.blind = fmt.Errorf("%s did not answer scrapes for %.1f s", n.Name, refusal.Seconds())
	}
}

func confirmedDowntime(r *Run, node string) (down []evidence.Span) {
	for _, f := range r.Confirmed(takesAway...) {
		if f.Target == node {
			down = append(down, f.Span())
		}
	}
	return down
}

// longest is the longest time between two moments, less the downtime in it.
func longest(at []time.Duration, down []evidence.Span) (worst time.Duration) {
	down = evidence.Merge(down)
	for i := 1; i < len(at); i++ {
		between := evidence.Span{From: at[i-1], To: at[i]}
		gap := between.To - between.From
		for _, d := range down {
			gap -= between.Overlap(d)
		}
		worst = max(worst, gap)
	}
	return worst
}
