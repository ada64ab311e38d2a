package check

import (
	"fmt"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Aimed adds to a certificate that the fault hit what it was meant to hit: before it was ordered, the last that source had
// said of its target was what.
func Aimed(source, what string, c Certificate) Certificate {
	return func(run *evidence.Run, in evidence.Injection) (Times, error) {
		last := "nothing"
		for o := range run.Observations() {
			if o.Source == source && o.Node == in.Target && o.At <= in.Ordered {
				last = o.What
			}
		}
		if last != what {
			return Times{}, fmt.Errorf("%w: of %s, %s had last said %s, not %s", errNotCertified, in.Target, source, last, what)
		}
		return c(run, in)
	}
}

// Both certifies what each of two certificates does: active when the first of them was, healed when both are.
func Both(a, b Certificate) Certificate {
	return func(run *evidence.Run, in evidence.Injection) (Times, error) {
		one, err := a(run, in)
		if err != nil {
			return one, err
		}
		other, err := b(run, in)
		if err != nil {
			return Times{Active: one.Active}, err
		}
		return Times{Active: min(one.Active, other.Active), Healed: max(one.Healed, other.Healed)}, nil
	}
}

// Crashed certifies that a part of the target died and was restarted by what watches over it there: active when an
// observer first called the target down, healed when the same observer called it up again. If the engine recorded an exit
// in between, it was the whole node that ended.
func Crashed(run *evidence.Run, in evidence.Injection) (Times, error) {
	down, ok := observed(run, in.Target, "", evidence.SawDown, in.Ordered)
	if !ok || healing(in).holds(down.At) {
		return Times{}, fmt.Errorf("%w: no observer saw %s go down between the order and the heal", errNotCertified, in.Target)
	}
	up, ok := observed(run, in.Target, down.Source, evidence.SawUp, down.At)
	if !ok {
		return Times{Active: down.At}, fmt.Errorf("%w: %s never called %s up again", errNotCertified, down.Source, in.Target)
	}
	if exit, ended := exitAfter(run, in); ended && exit.At <= up.At {
		return Times{Active: down.At}, fmt.Errorf("%w: the engine recorded an exit of the whole of %s", errNotCertified, in.Target)
	}
	return Times{Active: down.At, Healed: up.At}, nil
}

// LeadLost certifies that the target lost its lead: active when source first said between order and heal that it is
// something else, healed when source saw a node in the lead again. It may be the target. Nodes are asked one by one, so that
// another may be seen in the lead before the target is seen to have lost it; then active at the first and healed at the second.
func LeadLost(source, lead string) Certificate {
	return func(run *evidence.Run, in evidence.Injection) (Times, error) {
		var t Times
		var early evidence.Observation // of another that leads although the target has not been seen to lose the lead
		for o := range run.Observations() {
			switch leads := o.What == lead; {
			case o.Source != source:
			case leads && t.Active != 0:
				t.Healed = o.At
				return t, nil
			case leads && o.Node != in.Target && meanwhile(in, o.At):
				early = o
			case !leads && o.Node == early.Node:
				early = evidence.Observation{}
			case !leads && o.Node == in.Target && t.Active == 0 && meanwhile(in, o.At):
				if early.Node != "" {
					return Times{Active: early.At, Healed: o.At}, nil
				}
				t.Active = o.At
			}
		}
		if t.Active == 0 {
			return t, fmt.Errorf("%w: between the order and the heal, %s did not see %s lose the lead", errNotCertified, source, in.Target)
		}
		return t, fmt.Errorf("%w: %s saw nobody in the lead again", errNotCertified, source)
	}
}

// LeadMoved certifies that the target handed its lead to another node: active at the first sign that somebody else saw,
// the target down or source saying that it is no longer lead, or another node being lead already; healed when source had
// seen both.
func LeadMoved(source, lead string) Certificate {
	return func(run *evidence.Run, in evidence.Injection) (Times, error) {
		taken, ok := takenOver(run, in, source, lead)
		if !ok {
			return Times{}, fmt.Errorf("%w: %s saw no other node than %s as %s between the order and the heal", errNotCertified, source, in.Target, lead)
		}
		for o := range run.Observations() {
			left := o.What == evidence.SawDown || o.Source == source && o.What != lead
			if o.Node == in.Target && o.At >= in.Ordered && left {
				return Times{Active: min(o.At, taken.At), Healed: max(o.At, taken.At)}, nil
			}
		}
		return Times{Active: taken.At}, fmt.Errorf("%w: nobody saw %s lose the lead", errNotCertified, in.Target)
	}
}

// meanwhile says whether a moment lies between the order and the order to heal.
func meanwhile(in evidence.Injection, t time.Duration) bool {
	return t >= in.Ordered && !healing(in).holds(t)
}

// takenOver finds the first node other than the target that source saw in the lead between the order and the heal.
func takenOver(run *evidence.Run, in evidence.Injection, source, lead string) (evidence.Observation, bool) {
	for o := range run.Observations() {
		if o.Source == source && o.What == lead && o.Node != in.Target && meanwhile(in, o.At) {
			return o, true
		}
	}
	return evidence.Observation{}, false
}
