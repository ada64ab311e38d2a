package fault

import (
	"fmt"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Both confirms what each of two confirmations does: active when the first of them was, healed when both are.
func Both(a, b Confirm) Confirm {
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

// Crashed confirms that a part of the target died and was restarted by its supervisor on the node: active when an observer first
// called the target down, healed when the same observer called it up again. If the engine recorded an exit in between, it was
// the whole node that ended.
func Crashed(run *evidence.Run, in evidence.Injection) (Times, error) {
	down, ok := run.FirstSaw(in.Target, "", evidence.SawDown, in.Ordered)
	if !ok || !in.InForce().Holds(down.At) {
		return Times{}, fmt.Errorf("%w: no observer saw %s go down between the order and the heal", ErrUnconfirmed, in.Target)
	}
	up, ok := run.FirstSaw(in.Target, down.Source, evidence.SawUp, down.At)
	if !ok {
		return Times{Active: down.At}, fmt.Errorf("%w: %s never called %s up again", ErrUnconfirmed, down.Source, in.Target)
	}
	if exit, ended := run.ExitOf(in.Target, in.Ordered); ended && exit.At <= up.At {
		return Times{Active: down.At}, fmt.Errorf("%w: the engine recorded an exit of the whole of %s", ErrUnconfirmed, in.Target)
	}
	return Times{Active: down.At, Healed: up.At}, nil
}

// LeadLost confirms that the target lost its lead: active when source first said between order and heal that it is something
// else, healed when source saw a node in the lead again. It may be the target. Nodes are asked one by one, so another node may be
// seen in the lead before the target is seen to have lost it; then active at the first and healed at the second.
func LeadLost(source, lead string) Confirm {
	return func(run *evidence.Run, in evidence.Injection) (Times, error) {
		var t Times
		var early evidence.Observation // of another node that leads although the target has not been seen to lose the lead
		for _, o := range evidence.Observations.Of(run) {
			switch leads := o.What == lead; {
			case o.Source != source:
			case leads && t.Active != 0:
				t.Healed = o.At
				return t, nil
			case leads && o.Node != in.Target && in.InForce().Holds(o.At):
				early = o
			case !leads && o.Node == early.Node:
				early = evidence.Observation{}
			case !leads && o.Node == in.Target && t.Active == 0 && in.InForce().Holds(o.At):
				if early.Node != "" {
					return Times{Active: early.At, Healed: o.At}, nil
				}
				t.Active = o.At
			}
		}
		if t.Active == 0 {
			return t, fmt.Errorf("%w: between the order and the heal, %s did not see %s lose the lead", ErrUnconfirmed, source, in.Target)
		}
		return t, fmt.Errorf("%w: %s saw nobody in the lead again", ErrUnconfirmed, source)
	}
}

// LeadMoved confirms that the target handed its lead to another node: active at the first sign that somebody else saw, the target
// down or no longer lead by source, or another node being lead already; healed when source had seen both.
func LeadMoved(source, lead string) Confirm {
	return func(run *evidence.Run, in evidence.Injection) (Times, error) {
		taken, ok := run.TakenOver(in, source, lead)
		if !ok {
			return Times{}, fmt.Errorf("%w: %s saw no other node than %s as %s between the order and the heal", ErrUnconfirmed, source, in.Target, lead)
		}
		for _, o := range evidence.Observations.Of(run) {
			left := o.What == evidence.SawDown || o.Source == source && o.What != lead
			if o.Node == in.Target && o.At >= in.Ordered && left {
				return Times{Active: min(o.At, taken.At), Healed: max(o.At, taken.At)}, nil
			}
		}
		return Times{Active: taken.At}, fmt.Errorf("%w: nobody saw %s lose the lead", ErrUnconfirmed, in.Target)
	}
}
