package check

import (
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// NoSplitBrain: source never saw two nodes lead in one term, which it tells as the detail of its observation; and two in
// different terms, such as a former leader that has just come back, for no longer than within at a time. A node that any
// observer calls down leads nobody.
func NoSplitBrain(source, lead string, within time.Duration) Check {
	return complete("NoSplitBrain", func(run *evidence.Run) Verdict {
		w := leadWatch{source: source, lead: lead, terms: map[string]string{}}
		for o := range run.Observations() {
			w.see(o)
		}
		if q, ok := run.Window(evidence.PhaseQuiesce); ok {
			w.count(q.To)
		}
		figures := map[string]float64{"leaders": float64(len(w.leaders)), "two_at_once_ms": ms(w.longest), "allowed_ms": ms(within)}
		switch {
		case w.split != "":
			return fail(figures, nil, "%s", w.split)
		case w.longest > within:
			return fail(figures, nil, "two nodes were %s at once for %.0f ms, by %s; %.0f ms are allowed", lead, ms(w.longest), source, ms(within))
		case len(w.leaders) == 0:
			return unknown("%s never saw a node that is %s", source, lead).with(figures)
		}
		return pass(figures, "no two nodes were %s in one term, and two in different terms for %.0f ms at most", lead, ms(w.longest))
	})
}

// leadWatch follows who leads.
type leadWatch struct {
	source, lead string
	terms        map[string]string // of those who lead at present, by node
	leaders      map[string]bool   // all that ever did
	two          time.Duration     // since when there is more than one; 0 if there is not
	longest      time.Duration
	split        string
}

func (w *leadWatch) see(o evidence.Observation) {
	leads := o.Source == w.source && o.What == w.lead
	switch {
	case leads:
		w.elect(o)
	case o.Source == w.source, o.What == evidence.SawDown:
		delete(w.terms, o.Node)
	}
	switch {
	case len(w.terms) < 2:
		w.count(o.At)
		w.two = 0
	case w.two == 0:
		w.two = o.At
	}
}

func (w *leadWatch) elect(o evidence.Observation) {
	for node, term := range w.terms {
		if node != o.Node && term == o.Detail && w.split == "" {
			w.split = node + " and " + o.Node + " were both " + w.lead + " in " + term
		}
	}
	if w.leaders == nil {
		w.leaders = map[string]bool{}
	}
	w.terms[o.Node], w.leaders[o.Node] = o.Detail, true
}

// count ends, at that moment, a time of two leaders.
func (w *leadWatch) count(until time.Duration) {
	if w.two != 0 {
		w.longest = max(w.longest, until-w.two)
	}
}

// StepsDown: the node that led when the fault became active was seen by source to lead no longer, at most within later, and
// until the order to heal no node led. Unknown unless one led before and the fault lasted longer than that.
func StepsDown(fault string, proof Certificate, source, lead string, within time.Duration) Check {
	return complete("StepsDown", func(run *evidence.Run) Verdict {
		d, missing := certified(run, fault, proof)
		if missing != "" {
			return unknown("%s", missing)
		}
		if d.Healing <= d.Active+within {
			return unknown("%q was healed before anybody had to step down", fault)
		}
		w := leadWatch{source: source, lead: lead, terms: map[string]string{}}
		led, last := false, d.Active
		for o := range run.Observations() {
			if o.At >= d.Healing {
				break
			}
			before := len(w.terms)
			w.see(o)
			led = led || o.At <= d.Active && len(w.terms) > 0
			if o.At > d.Active && before > 0 {
				last = o.At
			}
		}
		if len(w.terms) > 0 {
			last = d.Healing
		}
		figures := map[string]float64{"stepped_down_ms": ms(last - d.Active), "limit_ms": ms(within)}
		switch {
		case !led:
			return unknown("%s saw no node that was %s before %q", source, lead, fault)
		case last-d.Active > within:
			return fail(figures, nil, "a node was still %s %.0f ms after %q; %.0f ms are allowed", lead, ms(last-d.Active), fault, ms(within))
		}
		return pass(figures, "no node was %s any more %.0f ms after %q", lead, ms(last-d.Active), fault)
	})
}

// LeadsAgain: source saw a node lead at most within after the fault was healed, and from then on to the end.
func LeadsAgain(fault string, proof Certificate, source, lead string, within time.Duration) Check {
	return complete("LeadsAgain", func(run *evidence.Run) Verdict {
		d, missing := certified(run, fault, proof)
		if missing != "" {
			return unknown("%s", missing)
		}
		w := leadWatch{source: source, lead: lead, terms: map[string]string{}}
		since := forever
		for o := range run.Observations() {
			w.see(o)
			switch {
			case len(w.terms) == 0:
				since = forever
			case since == forever:
				since = o.At
			}
		}
		q, ended := run.Window(evidence.PhaseQuiesce)
		after := max(0, since-d.Healed)
		figures := map[string]float64{"limit_ms": ms(within)}
		switch {
		case len(w.leaders) == 0:
			return unknown("%s never saw a node that is %s", source, lead).with(figures)
		case since == forever && (!ended || q.To < d.Healed+within):
			return unknown("no node was %s when the run ended, and it ended too soon to tell", lead).with(figures)
		case since == forever:
			return fail(figures, nil, "no node was %s when the run ended, %.0f ms after %q was healed", lead, ms(q.To-d.Healed), fault)
		case after > within:
			return fail(figures, nil, "a node was %s for good only %.0f ms after %q was healed; %.0f ms are allowed", lead, ms(after), fault, ms(within))
		}
		figures["leads_again_ms"] = ms(after)
		return pass(figures, "a node was %s again %.0f ms after %q was healed", lead, ms(after), fault)
	})
}
