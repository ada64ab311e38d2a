package check

import (
	"fmt"
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// CutOff certifies that the target was cut off from the nodes of those names or roles, itself left out: active when each of
// them had lost it between the order and the heal, for good; healed when each of them reached it again after that.
func CutOff(from ...string) Certificate {
	return func(run *evidence.Run, in evidence.Injection) (Times, error) {
		return lostBy(run, in, nodesBut(run, in.Target, func(n evidence.Node) bool {
			return slices.Contains(from, n.Name) || slices.Contains(from, n.Role)
		}))
	}
}

// Isolated certifies that the target was cut off from everything that the replicas of the service share: from every node
// that holds it or leads to it.
func Isolated(run *evidence.Run, in evidence.Injection) (Times, error) {
	return lostBy(run, in, nodesBut(run, in.Target, func(n evidence.Node) bool { return n.Store }))
}

func lostBy(run *evidence.Run, in evidence.Injection, others []string) (Times, error) {
	var t Times
	if len(others) == 0 {
		return t, fmt.Errorf("%w: there is no node that %s was to be cut off from", errNotCertified, in.Target)
	}
	for _, other := range others {
		last, saw := lastSeen(run, in, evidence.SourceReach(other))
		if !saw || last.What != evidence.SawLost {
			return Times{}, fmt.Errorf("%w: %s did not lose %s between the order and the heal, for good", errNotCertified, other, in.Target)
		}
		t.Active = max(t.Active, last.At)
	}
	for _, other := range others {
		again, ok := observed(run, in.Target, evidence.SourceReach(other), evidence.SawReached, healing(in).from)
		if in.Healing == 0 || !ok {
			return Times{Active: t.Active}, fmt.Errorf("%w: %s never reached %s again", errNotCertified, other, in.Target)
		}
		t.Healed = max(t.Healed, again.At)
	}
	return t, nil
}

// lastSeen is what the source said of the target last between the order and the heal.
func lastSeen(run *evidence.Run, in evidence.Injection, source string) (last evidence.Observation, ok bool) {
	for o := range run.Observations() {
		if o.Source == source && o.Node == in.Target && meanwhile(in, o.At) {
			last, ok = o, true
		}
	}
	return last, ok
}

// Lossy certifies that some packets between the target and the nodes of those names or roles were lost and some were not:
// active when the first of them had lost it for a moment, each of them having done so before the heal; healed when each of
// them reached it, from then on to the end.
func Lossy(from ...string) Certificate {
	return func(run *evidence.Run, in evidence.Injection) (Times, error) {
		others := nodesBut(run, in.Target, func(n evidence.Node) bool {
			return slices.Contains(from, n.Name) || slices.Contains(from, n.Role)
		})
		if len(others) == 0 {
			return Times{}, fmt.Errorf("%w: no packets were to get lost", errNotCertified)
		}
		t := Times{Active: forever, Healed: in.Healing}
		for _, other := range others {
			first, healed, err := lossSeen(run, in, other)
			if err != nil {
				return Times{}, err
			}
			t.Active, t.Healed = min(t.Active, first), max(t.Healed, healed)
		}
		return t, nil
	}
}

// lossSeen is when other first lost the target for a moment, and since when it has reached it.
func lossSeen(run *evidence.Run, in evidence.Injection, other string) (first, since time.Duration, err error) {
	lost, ok := observed(run, in.Target, evidence.SourceReach(other), evidence.SawLost, in.Ordered)
	if !ok || healing(in).holds(lost.At) {
		return 0, 0, fmt.Errorf("%w: %s never lost %s between the order and the heal", errNotCertified, other, in.Target)
	}
	back, ok := observed(run, in.Target, evidence.SourceReach(other), evidence.SawReached, lost.At)
	if !ok || healing(in).holds(back.At) {
		return 0, 0, fmt.Errorf("%w: %s lost %s altogether", errNotCertified, other, in.Target)
	}
	reached := false
	for o := range run.Observations() {
		if o.Source == evidence.SourceReach(other) && o.Node == in.Target {
			reached, since = o.What == evidence.SawReached, o.At
		}
	}
	if in.Healing == 0 || !reached {
		return 0, 0, fmt.Errorf("%w: %s has not reached %s again", errNotCertified, other, in.Target)
	}
	return lost.At, since, nil
}

// nodesBut names the nodes that are as wanted, the one of that name left out.
func nodesBut(run *evidence.Run, but string, wanted func(evidence.Node) bool) (names []string) {
	for n := range run.Nodes() {
		if n.Name != but && wanted(n) {
			names = append(names, n.Name)
		}
	}
	return names
}
