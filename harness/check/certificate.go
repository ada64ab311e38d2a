package check

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// killedCode is the exit code after signal 9.
const killedCode = 128 + 9

var errNotCertified = errors.New("not certified")

// Terminated certifies a SIGTERM. It was active at the first sign that somebody else saw: an observer called the target
// down, or the engine recorded its exit. A forced end after the heal was ordered is the healer's doing and proves nothing
// of the SIGTERM. It was healed when an observer called the restarted target up.
func Terminated(run *evidence.Run, in evidence.Injection) (Times, error) {
	exit, ok := exitAfter(run, in)
	if !ok {
		return Times{}, fmt.Errorf("%w: the engine recorded no exit of %s after it", errNotCertified, in.Target)
	}
	active, forced := exit.At, exit.Code == killedCode && healing(in).holds(exit.At)
	if down, ok := observed(run, in.Target, "", evidence.SawDown, in.Ordered); ok && down.At < active {
		active = down.At
	}
	if forced && active >= in.Healing {
		return Times{}, fmt.Errorf("%w: %s showed no sign of it before it was killed", errNotCertified, in.Target)
	}
	return healedAfter(run, in, Times{Active: active}, exit.At)
}

// Killed certifies a SIGKILL: active when the engine recorded that the target ended by signal 9, healed when an observer
// called the restarted target up.
func Killed(run *evidence.Run, in evidence.Injection) (Times, error) {
	exit, ok := exitAfter(run, in)
	switch {
	case !ok || healing(in).holds(exit.At):
		return Times{}, fmt.Errorf("%w: the engine recorded no exit of %s between the order and the heal", errNotCertified, in.Target)
	case exit.Code != killedCode:
		return Times{}, fmt.Errorf("%w: %s ended with code %d, not by SIGKILL", errNotCertified, in.Target, exit.Code)
	}
	return healedAfter(run, in, Times{Active: exit.At}, exit.At)
}

// Frozen certifies that all processes of the target stood still: active when an observer called it down and did not call
// it up again before the heal was ordered, healed when one called it up after that. A node that is merely slow comes back by
// itself.
func Frozen(run *evidence.Run, in evidence.Injection) (Times, error) {
	last := map[string]evidence.Observation{} // by source
	for o := range run.Observations() {
		opinion := o.What == evidence.SawUp || o.What == evidence.SawDown
		if opinion && o.Node == in.Target && meanwhile(in, o.At) {
			last[o.Source] = o
		}
	}
	active := forever
	for _, o := range last {
		if o.What == evidence.SawDown {
			active = min(active, o.At)
		}
	}
	if active == forever {
		return Times{}, fmt.Errorf("%w: no observer saw %s go down between the order and the heal, and stay down", errNotCertified, in.Target)
	}
	return healedAfter(run, in, Times{Active: active}, active)
}

func healedAfter(run *evidence.Run, in evidence.Injection, t Times, ended time.Duration) (Times, error) {
	if in.Healing == 0 {
		return t, fmt.Errorf("%w: its heal was never ordered", errNotCertified)
	}
	up, ok := observedUp(run, in.Target, max(in.Healing, ended))
	if !ok {
		return t, fmt.Errorf("%w: no observer saw %s up again after the heal", errNotCertified, in.Target)
	}
	t.Healed = up.At
	return t, nil
}

// healing is the time from the order to heal to the end of the run; empty if there was no such order.
func healing(in evidence.Injection) span {
	if in.Healing == 0 {
		return span{from: 1, to: 0}
	}
	return span{from: in.Healing, to: forever}
}

// exitAfter finds the target's first end after the fault was ordered.
func exitAfter(run *evidence.Run, in evidence.Injection) (evidence.Exit, bool) {
	for e := range run.Exits() {
		if e.Node == in.Target && e.At >= in.Ordered {
			return e, true
		}
	}
	return evidence.Exit{}, false
}

// observed finds the first observation of that kind of a node from a moment on, by the given observer or, if source is
// empty, by anybody.
func observed(run *evidence.Run, node, source, what string, from time.Duration) (evidence.Observation, bool) {
	for o := range run.Observations() {
		if o.Node == node && o.What == what && o.At >= from && (source == "" || o.Source == source) {
			return o, true
		}
	}
	return evidence.Observation{}, false
}

// observedUp prefers the load balancer's opinion, since it decides where requests go.
func observedUp(run *evidence.Run, node string, from time.Duration) (evidence.Observation, bool) {
	for _, source := range []string{evidence.SourceHAProxy, evidence.SourceReady, ""} {
		if o, ok := observed(run, node, source, evidence.SawUp, from); ok {
			return o, true
		}
	}
	return evidence.Observation{}, false
}

// disturbance is a certified fault.
type disturbance struct {
	evidence.Injection
	Times
}

// isolations finds the cuts that certainly left a node with nothing of what the replicas of the service share.
func isolations(run *evidence.Run) (found []disturbance) {
	for in := range run.Injections() {
		if in.Kind() != evidence.FaultCut {
			continue
		}
		if c := Certify(run, in, Isolated); c.Certified {
			found = append(found, disturbance{in, Times{c.Active, c.Healed}})
		}
	}
	return found
}

// ejections finds the cuts because of which the load balancer certainly took its node for dead, as it does one that is frozen.
func ejections(run *evidence.Run) []disturbance {
	return slices.DeleteFunc(isolations(run), func(d disturbance) bool {
		last, saw := lastSeen(run, d.Injection, evidence.SourceHAProxy)
		return !saw || last.What != evidence.SawDown
	})
}

// whole is from the order to the proven end: the time in which the fault may have had effects.
func (d disturbance) whole() span { return span{d.Ordered, d.Healed} }

// disturbances finds the certified faults of the given kinds.
func disturbances(run *evidence.Run, kinds ...string) (found []disturbance) {
	certificates := map[string]Certificate{
		evidence.FaultTerm: Terminated, evidence.FaultKill: Killed, evidence.FaultFreeze: Frozen,
	}
	for in := range run.Injections() {
		certificate, known := certificates[in.Kind()]
		if !known || !slices.Contains(kinds, in.Kind()) {
			continue
		}
		if c := Certify(run, in, certificate); c.Certified {
			found = append(found, disturbance{in, Times{c.Active, c.Healed}})
		}
	}
	return found
}

// takenAway finds the certified kills and freezes of nodes of the service under test, and the cuts that took one from the load
// balancer. Faults of what the service depends on excuse nothing that happens between clients and it.
func takenAway(run *evidence.Run) []disturbance {
	all := append(disturbances(run, evidence.FaultKill, evidence.FaultFreeze), ejections(run)...)
	return slices.DeleteFunc(all, func(d disturbance) bool {
		n, _ := run.Node(d.Target)
		return !n.Subject
	})
}
