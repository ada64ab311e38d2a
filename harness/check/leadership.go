package check

import (
	"fmt"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// NoSplitBrain: source never saw two nodes lead in one term, which it tells as the detail of its observation; and two in
// different terms, such as a former leader that has just come back, for no longer than within at a time. A node leads if that
// was the last that source said of it, unless any observer calls it down: then not until the same observer says otherwise.
func NoSplitBrain(source, lead string, within time.Duration) Check {
	return New("NoSplitBrain", func(r *Run) (Verdict, error) {
		w := newLeadWatch(source, lead)
		for _, o := range evidence.Observations.Each(r.Run) {
			w.see(o)
		}
		if q, ok := r.Window(evidence.PhaseQuiesce); ok {
			w.count(q.To)
		}
		figures := map[string]float64{"leaders": float64(len(w.leaders)), "two_at_once_ms": Milliseconds(w.longest), "allowed_ms": Milliseconds(within)}
		switch {
		case w.split != "":
			return Failf(figures, nil, "%s", w.split), nil
		case w.longest > within:
			return Failf(figures, nil, "two nodes were %s at once for %.0f ms, by %s; %.0f ms are allowed",
				lead, Milliseconds(w.longest), source, Milliseconds(within)), nil
		case len(w.leaders) == 0:
			return Verdict{Figures: figures}, w.noneSeen()
		}
		return Passf(figures, "no two nodes were %s in one term, and two in different terms for %.0f ms at most", lead, Milliseconds(w.longest)), nil
	})
}

// leadWatch follows who leads.
type leadWatch struct {
	source, lead string
	called       map[string]string          // of those that source called lead last, their terms by node
	down         map[string]map[string]bool // the observers that call a node down, by node
	leads        map[string]bool            // those that lead at present
	leaders      map[string]bool            // all that ever did
	two          time.Duration              // since when there is more than one; 0 if there is not
	longest      time.Duration
	split        string
}

func newLeadWatch(source, lead string) *leadWatch {
	return &leadWatch{source: source, lead: lead, called: map[string]string{}, down: map[string]map[string]bool{}, leads: map[string]bool{}, leaders: map[string]bool{}}
}

func (w *leadWatch) noneSeen() error {
	return fmt.Errorf("%s never saw a node that is %s", w.source, w.lead)
}

func (w *leadWatch) see(o *evidence.Observation) {
	switch {
	case o.Source == w.source && o.What == w.lead:
		w.called[o.Node] = o.Detail
	case o.Source == w.source:
		delete(w.called, o.Node)
	}
	w.hear(o)
	if _, called := w.called[o.Node]; called && len(w.down[o.Node]) == 0 {
		w.elect(o.Node)
	} else {
		delete(w.leads, o.Node)
	}
	switch {
	case len(w.leads) < 2:
		w.count(o.At)
		w.two = 0
	case w.two == 0:
		w.two = o.At
	}
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

// count ends, at that moment, a time of two leaders.
func (w *leadWatch) count(until time.Duration) {
	if w.two != 0 {
		w.longest = max(w.longest, until-w.two)
	}
}

// StepsDown: the node that led when the fault became active was seen by source to lead no longer, at most within later, and
// until the order to heal no node led. Unknown unless one led then and the fault lasted longer than that.
func StepsDown(fault, source, lead string, within time.Duration) Check {
	return New("StepsDown", func(r *Run) (Verdict, error) {
		f, err := r.Fault(fault)
		if err != nil {
			return Verdict{}, err
		}
		if f.Healing <= f.Active+within {
			return Verdict{}, fmt.Errorf("%q was healed before anybody had to step down", fault)
		}
		led, last := lastLed(r.Run, f, newLeadWatch(source, lead))
		after := Milliseconds(last - f.Active)
		figures := map[string]float64{"stepped_down_ms": after, "limit_ms": Milliseconds(within)}
		switch {
		case !led:
			return Verdict{Figures: figures}, fmt.Errorf("%s saw no node that was %s at %q", source, lead, fault)
		case last-f.Active > within:
			return Failf(figures, nil, "a node was still %s %.0f ms after %q; %.0f ms are allowed", lead, after, fault, Milliseconds(within)), nil
		}
		return Passf(figures, "no node was %s any more %.0f ms after %q", lead, after, fault), nil
	})
}

// lastLed reports whether a node led when the fault became active, and until when one did while it was in force.
func lastLed(run *evidence.Run, f Fault, w *leadWatch) (led bool, last time.Duration) {
	last = f.Active
	for _, o := range evidence.Observations.Each(run) {
		if o.At >= f.Healing {
			break
		}
		before := len(w.leads)
		w.see(o)
		if o.At < f.Active {
			led = len(w.leads) > 0
		}
		if o.At > f.Active && before > 0 {
			last = o.At
		}
	}
	if len(w.leads) > 0 {
		last = f.Healing
	}
	return led, last
}

// LeadsAgain: source saw a node lead at most within after the fault was healed, and from then on to the end.
func LeadsAgain(fault, source, lead string, within time.Duration) Check {
	return New("LeadsAgain", func(r *Run) (Verdict, error) {
		f, err := r.Fault(fault)
		if err != nil {
			return Verdict{}, err
		}
		w := newLeadWatch(source, lead)
		since := evidence.Forever
		for _, o := range evidence.Observations.Each(r.Run) {
			w.see(o)
			switch {
			case len(w.leads) == 0:
				since = evidence.Forever
			case since == evidence.Forever:
				since = o.At
			}
		}
		rest, ended := r.Window(evidence.PhaseQuiesce)
		after := max(0, since-f.Healed)
		figures := map[string]float64{"limit_ms": Milliseconds(within)}
		switch {
		case len(w.leaders) == 0:
			return Verdict{Figures: figures}, w.noneSeen()
		case since == evidence.Forever && (!ended || rest.To < f.Healed+within):
			return Verdict{Figures: figures}, fmt.Errorf("no node was %s when the run ended, and it ended too soon to tell", lead)
		case since == evidence.Forever:
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
// is confirmed, somebody else did take the lead, and clients were seen at the target before that.
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
		seen, stayed := connected(r.Run, f.Target, clients, former)
		figures := map[string]float64{"longest_stay_ms": Milliseconds(stayed), "limit_ms": Milliseconds(limit)}
		switch {
		case stayed > limit:
			return Failf(figures, nil, "clients were connected to %s for %.1f s after %s had become %s", f.Target, stayed.Seconds(), taken.Node, lead.What), nil
		case !seen:
			return Verdict{Figures: figures}, fmt.Errorf("%s saw no client at %s before %s took over", clients.Source, f.Target, taken.Node)
		}
		return Passf(figures, "the last client had left %s %.0f ms after %s had become %s", f.Target, Milliseconds(stayed), taken.Node, lead.What), nil
	})
}

// connected reports whether clients were seen at the node before the span, and how far into it they last were.
func connected(run *evidence.Run, node string, clients Clients, within evidence.Span) (before bool, stayed time.Duration) {
	there := false
	for _, o := range evidence.Observations.Each(run) {
		if o.Source != clients.Source || o.Node != node || o.At > within.To {
			continue
		}
		if there && o.At > within.From {
			stayed = o.At - within.From
		}
		there = o.What == clients.What
		before = before || there && o.At <= within.From
	}
	if there {
		stayed = max(0, within.To-within.From)
	}
	return before, stayed
}
