package check

import (
	"fmt"
	"iter"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// NoSplitBrain: source never saw two nodes lead in one term, which it tells as the detail of its observation; and two in
// different terms, such as a former leader that has just come back, for no longer than within at a time. A node leads if that
// was the last that source said of it, unless any observer calls it down: then not until the same observer says otherwise.
// Unknown if source lost sight of nodes that nobody called down, so that two may have led for longer than within.
func NoSplitBrain(source, lead string, within time.Duration) Check {
	return New("NoSplitBrain", func(r *Run) (Verdict, error) {
		w := newLeadWatch(source, lead)
		for o := range inSight(r.Run, source) {
			w.see(o)
		}
		if q, ok := r.Window(evidence.PhaseQuiesce); ok {
			w.two.see(q.To, false)
			w.mayBeTwo.see(q.To, false)
		}
		two := w.two.longest
		figures := map[string]float64{"leaders": float64(len(w.leaders)), "two_at_once_ms": Milliseconds(two), "allowed_ms": Milliseconds(within)}
		switch {
		case w.split != "":
			return Failf(figures, nil, "%s", w.split), nil
		case two > within:
			return Failf(figures, nil, "two nodes were %s at once for %.0f ms, by %s; %.0f ms are allowed",
				lead, Milliseconds(two), source, Milliseconds(within)), nil
		case len(w.leaders) == 0:
			return Verdict{Figures: figures}, w.noneSeen()
		case w.mayBeTwo.longest > within:
			return Verdict{Figures: figures}, w.lostSight()
		}
		return Passf(figures, "no two nodes were %s in one term, and two in different terms for %.0f ms at most", lead, Milliseconds(two)), nil
	})
}

// leadWatch follows who leads.
type leadWatch struct {
	source, lead string
	unseen       string                     // who tells that source lost sight of a node
	called       map[string]string          // of those that source called lead last, their terms by node
	down         map[string]map[string]bool // the observers that call a node down, by node
	blind        map[string]bool            // those of which source had something to say, and has nothing any more
	leads        map[string]bool            // those that lead at present
	leaders      map[string]bool            // all that ever did
	two          stretch                    // more than one led
	mayBeTwo     stretch                    // more than one may have led
	split        string
}

func newLeadWatch(source, lead string) *leadWatch {
	return &leadWatch{source: source, lead: lead, unseen: evidence.SourceBlind(source), called: map[string]string{}, down: map[string]map[string]bool{}, blind: map[string]bool{},
		leads: map[string]bool{}, leaders: map[string]bool{}}
}

func (w *leadWatch) noneSeen() error {
	return fmt.Errorf("%s never saw a node that is %s", w.source, w.lead)
}

func (w *leadWatch) lostSight() error {
	return fmt.Errorf("%s lost sight of a node that nobody called down: it may have been %s", w.source, w.lead)
}

func (w *leadWatch) see(o *evidence.Observation) {
	switch o.Source {
	case w.source:
		delete(w.blind, o.Node)
		delete(w.called, o.Node)
		if o.What == w.lead {
			w.called[o.Node] = o.Detail
		}
	case w.unseen:
		w.blind[o.Node] = true
		delete(w.called, o.Node)
	}
	w.hear(o)
	if _, called := w.called[o.Node]; called && len(w.down[o.Node]) == 0 {
		w.elect(o.Node)
	} else {
		delete(w.leads, o.Node)
	}
	w.two.see(o.At, len(w.leads) > 1)
	w.mayBeTwo.see(o.At, w.mayLead() > 1)
}

// mayLead counts those that lead, and those that may, since nobody sees them.
func (w *leadWatch) mayLead() int {
	n := len(w.leads)
	for node := range w.blind {
		if len(w.down[node]) == 0 {
			n++
		}
	}
	return n
}

// hear notes whether the observer calls the node down.
func (w *leadWatch) hear(o *evidence.Observation) {
	switch {
	case o.What != evidence.SawDown:
		delete(w.down[o.Node], o.Source)
	case w.down[o.Node] == nil:
		w.down[o.Node] = map[string]bool{o.Source: true}
	default:
		w.down[o.Node][o.Source] = true
	}
}

func (w *leadWatch) elect(node string) {
	for other := range w.leads {
		if other != node && w.called[other] == w.called[node] && w.split == "" {
			w.split = other + " and " + node + " were both " + w.lead + " in " + w.called[node]
		}
	}
	w.leads[node], w.leaders[node] = true, true
}

// stretch is a time for which something is so.
type stretch struct {
	since   time.Duration // 0 if it is not so at present
	longest time.Duration
}

func (s *stretch) see(at time.Duration, is bool) {
	if s.since != 0 {
		s.longest = max(s.longest, at-s.since)
	}
	switch {
	case !is:
		s.since = 0
	case s.since == 0:
		s.since = at
	}
}

// inSight are the observations of the run without those that the source lost sight of a node of which it then said the same as
// before, its detail included: nothing had changed.
func inSight(run *evidence.Run, source string) iter.Seq[*evidence.Observation] {
	blind := evidence.SourceBlind(source)
	last, lost, blinks := map[string]*evidence.Observation{}, map[string]int{}, map[int]bool{}
	for i, o := range evidence.Observations.Each(run) {
		switch o.Source {
		case blind:
			lost[o.Node] = i
		case source:
			at, is := lost[o.Node]
			if was := last[o.Node]; is && was != nil && was.What == o.What && was.Detail == o.Detail {
				blinks[at] = true
			}
			last[o.Node] = o
			delete(lost, o.Node)
		}
	}
	return func(yield func(*evidence.Observation) bool) {
		for i, o := range evidence.Observations.Each(run) {
			if !blinks[i] && !yield(o) {
				return
			}
		}
	}
}

// StepsDown: the node that led when the fault became active was seen by source to lead no longer, at most within later, and
// until the order to heal no node led. Unknown unless one led then and the fault lasted longer than that, or if source lost sight
// of a node that nobody called down.
func StepsDown(fault, source, lead string, within time.Duration) Check {
	return New("StepsDown", func(r *Run) (Verdict, error) {
		f, err := r.Fault(fault)
		if err != nil {
			return Verdict{}, err
		}
		if f.Healing <= f.Active+within {
			return Verdict{}, fmt.Errorf("%q was healed before anybody had to step down", fault)
		}
		w := newLeadWatch(source, lead)
		led, last, mayLast := lastLed(r.Run, f, w)
		after := Milliseconds(last - f.Active)
		figures := map[string]float64{"stepped_down_ms": after, "limit_ms": Milliseconds(within)}
		switch {
		case !led:
			return Verdict{Figures: figures}, fmt.Errorf("%s saw no node that was %s at %q", source, lead, fault)
		case last-f.Active > within:
			return Failf(figures, nil, "a node was still %s %.0f ms after %q; %.0f ms are allowed", lead, after, fault, Milliseconds(within)), nil
		case mayLast-f.Active > within:
			return Verdict{Figures: figures}, w.lostSight()
		}
		return Passf(figures, "no node was %s any more %.0f ms after %q", lead, after, fault), nil
	})
}

// lastLed reports whether a node led when the fault became active, and until when one did, and may have, while it was in force.
func lastLed(run *evidence.Run, f Fault, w *leadWatch) (led bool, last, mayLast time.Duration) {
	last, mayLast = f.Active, f.Active
	until := func(at time.Duration) {
		if len(w.leads) > 0 {
			last = at
		}
		if w.mayLead() > 0 {
			mayLast = at
		}
	}
	for o := range inSight(run, w.source) {
		if o.At >= f.Healing {
			break
		}
		if o.At > f.Active {
			until(o.At)
		}
		if w.see(o); o.At < f.Active {
			led = len(w.leads) > 0
		}
	}
	until(f.Healing)
	return led, last, mayLast
}

// LeadsAgain: source saw a node lead at most within after the fault was healed, and from then on to the end. Unknown if it saw
// none, but lost sight of one that nobody called down.
func LeadsAgain(fault, source, lead string, within time.Duration) Check {
	return New("LeadsAgain", func(r *Run) (Verdict, error) {
		f, err := r.Fault(fault)
		if err != nil {
			return Verdict{}, err
		}
		w := newLeadWatch(source, lead)
		var led, mayLed stretch
		for o := range inSight(r.Run, source) {
			w.see(o)
			led.see(o.At, len(w.leads) > 0)
			mayLed.see(o.At, w.mayLead() > 0)
		}
		rest, ended := r.Window(evidence.PhaseQuiesce)
		after := max(0, led.since-f.Healed)
		never := len(w.leads) == 0
		figures := map[string]float64{"limit_ms": Milliseconds(within)}
		switch {
		case len(w.leaders) == 0:
			return Verdict{Figures: figures}, w.noneSeen()
		case never && (!ended || rest.To < f.Healed+within):
			return Verdict{Figures: figures}, fmt.Errorf("no node was %s when the run ended, and it ended too soon to tell", lead)
		case (never || after > within) && w.mayLead() > 0 && mayLed.since <= f.Healed+within:
			return Verdict{Figures: figures}, w.lostSight()
		case never:
			return Failf(figures, nil, "no node was %s when the run ended, %.0f ms after %q was healed", lead, Milliseconds(rest.To-f.Healed), fault), nil
		case after > within:
			return Failf(figures, nil, "a node was %s for good only %.0f ms after %q was healed; %.0f ms are allowed",
				lead, Milliseconds(after), fault, Milliseconds(within)), nil
		}
		figures["leads_again_ms"] = Milliseconds(after)
		return Passf(figures, "a node was %s again %.0f ms after %q was healed", lead, Milliseconds(after), fault), nil
	})
}

// Lead names who tells of a lead, and what it calls the node that has it.
type Lead struct{ Source, What string }

// Clients names who reports whether a node has clients, and what it says if it has.
type Clients struct{ Source, What string }

// NobodyStays: from limit after another node took the lead from the target of the fault, no client was connected to the
// target, unless it led again. What is still connected to a former leader gets old answers, or none. Unknown unless the fault
// is confirmed, somebody else did take the lead, and clients were seen at the target before that, or if nobody could tell of its
// clients when they should have left.
func NobodyStays(fault string, lead Lead, clients Clients, limit time.Duration) Check {
	return New("NobodyStays", func(r *Run) (Verdict, error) {
		f, err := r.Fault(fault)
		if err != nil {
			return Verdict{}, err
		}
		taken, err := takenOver(r, fault, lead.Source, lead.What)
		if err != nil {
			return Verdict{}, err
		}
		former := evidence.Span{From: taken.At, To: LastResponse(r.Run)}
		if next, led := r.FirstSaw(f.Target, lead.Source, lead.What, taken.At); led {
			former.To = next.At
		}
		seen, stayed, mayStay := connected(r.Run, f.Target, clients, former)
		figures := map[string]float64{"longest_stay_ms": Milliseconds(stayed), "limit_ms": Milliseconds(limit)}
		switch {
		case stayed > limit:
			return Failf(figures, nil, "clients were connected to %s for %.1f s after %s had become %s", f.Target, stayed.Seconds(), taken.Node, lead.What), nil
		case !seen:
			return Verdict{Figures: figures}, fmt.Errorf("%s saw no client at %s before %s took over", clients.Source, f.Target, taken.Node)
		case mayStay > limit:
			return Verdict{Figures: figures}, fmt.Errorf("%s could not tell whether clients were connected to %s after %s had become %s", clients.Source, f.Target, taken.Node, lead.What)
		}
		return Passf(figures, "the last client had left %s %.0f ms after %s had become %s", f.Target, Milliseconds(stayed), taken.Node, lead.What), nil
	})
}

// connected reports whether clients were seen at the node before the span, and how far into it they last were, and may have been.
func connected(run *evidence.Run, node string, clients Clients, within evidence.Span) (before bool, stayed, mayStay time.Duration) {
	there, blind := false, false
	until := func(at time.Duration) {
		if there && !blind {
			stayed = max(0, at-within.From)
		}
		if there || blind {
			mayStay = max(0, at-within.From)
		}
	}
	unseen := evidence.SourceBlind(clients.Source)
	for o := range inSight(run, clients.Source) {
		lost := o.Source == unseen
		if o.Source != clients.Source && !lost || o.Node != node || o.At > within.To {
			continue
		}
		until(o.At)
		if blind = lost; !lost {
			there = o.What == clients.What
			before = before || there && o.At <= within.From
		}
	}
	until(within.To)
	return before, stayed, mayStay
}
