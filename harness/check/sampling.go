package check

import (
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

const (
	// blindLimit bounds the gap between two scrapes of a node: several that are lost to a loaded machine do no harm, since
	// high-water gauges keep the peaks, and a gauge has 5 s to return to zero.
	blindLimit = 2 * time.Second
	// refusalLimit is how long a node of the service may refuse to be scraped although no fault was on it.
	refusalLimit = 5 * time.Second
)

// ProbesSampled: from the start of the load to the end of the run's rest, no node of the service went without a scrape for more
// than 2 s, the confirmed downtime of faults on it aside. A probe that did not look leaves the run without a verdict. A node
// that was asked and did not answer for 5 s fails it, unless a SIGTERM, kill, pause or other fault that silences, which the harness had not healed,
// may have kept it from that, confirmed or not.
func ProbesSampled() Check { return New("ProbesSampled", probesSampled) }

func probesSampled(r *Run) (Verdict, error) {
	watched, err := watchedSpan(r)
	if err != nil {
		return Verdict{}, err
	}
	nodes, err := r.NeedSubjects()
	if err != nil {
		return Verdict{}, err
	}
	var s sampling
	for _, n := range nodes {
		s.judge(r, n.Name, looksAt(r.Run, n.Name, watched))
	}
	figures := map[string]float64{"samples": float64(s.samples), "longest_gap_ms": Milliseconds(s.gap), "longest_refusal_ms": Milliseconds(s.refusal)}
	return s.verdict(figures, "%d nodes were scraped throughout; the longest gap was %.0f ms", len(nodes), Milliseconds(s.gap))
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
	finding
	samples      int
	gap, refusal time.Duration
}

func (s *sampling) judge(r *Run, name string, l looks) {
	down := confirmedDowntime(r, name)
	gap, blind := longest(l.asked, down), l.gaps(down)
	refusal := l.refusal(blind, down)
	s.samples += len(l.asked) - 2
	s.gap, s.refusal = max(s.gap, gap), max(s.refusal, refusal)
	if refusal > refusalLimit && l.refusal(blind, r.Silenced(name)) > refusalLimit {
		s.breaks("%s did not answer scrapes for %.1f s, and no fault was on it", name, refusal.Seconds())
	}
	switch {
	case len(l.asked) == 2:
		s.doubts("%s was never looked at", name)
	case gap > blindLimit:
		s.doubts("%s was not looked at for %.1f s", name, gap.Seconds())
	case refusal > refusalLimit:
		s.doubts("%s did not answer scrapes for %.1f s, and a fault on it is not confirmed", name, refusal.Seconds())
	}
}

// gaps are the times beyond the limit in which nobody looked, although the node was not down.
func (l looks) gaps(down []evidence.Span) (blind []evidence.Span) {
	for i := 1; i < len(l.asked); i++ {
		between := evidence.Span{From: l.asked[i-1], To: l.asked[i]}
		if between.To-between.From > blindLimit && longest(l.asked[i-1:i+1], down) > blindLimit {
			blind = append(blind, between)
		}
	}
	return blind
}

// refusal is the longest time in which the node was asked and did not answer, less the downtime. Nobody knows whether it would
// have answered while nobody looked, so such a time ends what came before.
func (l looks) refusal(blind, down []evidence.Span) time.Duration {
	answered := slices.Clone(l.answered)
	for _, b := range blind {
		answered = append(answered, b.From, b.To)
	}
	slices.Sort(answered)
	return longest(answered, slices.Concat(down, blind))
}

func confirmedDowntime(r *Run, node string) (down []evidence.Span) {
	for _, f := range r.Faults {
		if in, _ := r.Injection(f.Name); f.Confirmed && f.Target == node && in.MaySilence() {
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
