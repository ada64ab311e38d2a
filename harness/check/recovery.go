package check

import (
	"fmt"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

const (
	// inARow is how many requests must succeed one after another: a service that still fails one in a few passes none.
	inARow = 10
	// noise is by how much a request may be slower than is normal and still count as a success.
	noise = 100 * time.Millisecond
)

// RecoversWithin: from the moment at which the fault was active to the first of ten consecutive successes, no more than
// limit went by, for requests of each class. A success is an answer that comes no more than 100 ms later than is normal, the
// p99 of its class before any fault; its time is when it was due. Unknown unless the fault is confirmed and enough
// requests came before and after it: too few before tell only who was not answered.
func RecoversWithin(fault string, limit time.Duration) Check {
	return New("RecoversWithin", func(r *Run) (Verdict, error) { return recovers(r, fault, limit, false) })
}

// RecoversAfterHeal is RecoversWithin from the order to heal the fault, for one that the service cannot make up for while it
// lasts. The confirmed heal may come later: that of a dependency may be proved by the first call after it, which is what a
// circuit breaker keeps back.
func RecoversAfterHeal(fault string, limit time.Duration) Check {
	return New("RecoversAfterHeal", func(r *Run) (Verdict, error) { return recovers(r, fault, limit, true) })
}

func recovers(r *Run, fault string, limit time.Duration, sinceHeal bool) (Verdict, error) {
	f, err := r.Fault(fault)
	if err != nil {
		return Verdict{}, err
	}
	normal, err := baselineAt(r, f.Ordered)
	if err != nil {
		return Verdict{}, err
	}
	from := f.Active
	if sinceHeal {
		from = f.Healing
	}
	all := recoveries(r.Run, normal, from)
	v := judgeRecoveries(all, limit)
	v.Recovery = &RecoveryTimes{Fault: fault, SinceHeal: sinceHeal, Classes: map[string]float64{}}
	addFloor(r, &v)
	for _, c := range all {
		v.Recovery.Classes[c.name] = Milliseconds(c.after)
	}
	return v, nil
}

// RecoversAfterStage: from the last request of the stage to the first of ten successes in a row, of each class, no more than
// limit went by. A success is what it is to RecoversWithin; normal is what was so before the stage measured, and before
// any fault.
func RecoversAfterStage(overload, measured string, limit time.Duration) Check {
	return New("RecoversAfterStage", func(r *Run) (Verdict, error) {
		m, o := stageSpan(r.Run, measured), stageSpan(r.Run, overload)
		if m == (evidence.Span{}) || o == (evidence.Span{}) {
			return Verdict{}, fmt.Errorf("no request of stage %s or %s is recorded", measured, overload)
		}
		normal, err := baselineAt(r, m.From)
		if err != nil {
			return Verdict{}, err
		}
		return judgeRecoveries(recoveries(r.Run, normal, o.To+1), limit), nil
	})
}

func judgeRecoveries(all []recovered, limit time.Duration) Verdict {
	figures := map[string]float64{"limit_ms": Milliseconds(limit)}
	var slowest time.Duration
	for _, c := range all {
		figures[figureOf("recovery", c.name, "ms")] = Milliseconds(c.after)
		slowest = max(slowest, c.after)
	}
	for _, c := range all {
		if c.after > limit {
			return Failf(figures, c.failed, "a %s still failed or was slow %.0f ms later; %.0f ms are allowed",
				withClass("request", c.name), Milliseconds(c.after), Milliseconds(limit))
		}
	}
	for _, c := range all {
		if c.doubt != nil {
			return Unknownf(figures, "%v", c.doubt)
		}
	}
	if len(all) == 0 {
		return Unknownf(figures, "no request was due afterwards")
	}
	return Passf(figures, "requests had recovered after %.0f ms; %.0f ms are allowed", Milliseconds(slowest), Milliseconds(limit))
}

// recovered is how requests of a class fared from a moment on.
type recovered struct {
	name   string
	after  time.Duration // until the first of ten successes in a row, or the last request that was none if they never came
	failed []uint64      // requests that did not succeed until then
	doubt  error         // why it is not known that they recovered; nil if it is
}

// recoveries measures each class of which a request was due from that moment on.
func recoveries(run *evidence.Run, b baseline, from time.Duration) (all []recovered) {
	for class := range b.Names {
		if c, asked := recoveryOf(run, b, uint8(class), from); asked {
			all = append(all, c)
		}
	}
	return all
}

// recoveryOf takes any answer for a success if it is not known what is normal: a time that is too long all the same is proven.
func recoveryOf(run *evidence.Run, b baseline, class uint8, from time.Duration) (c recovered, asked bool) {
	normal, unknown := b.ofClass(class)
	c = recovered{name: b.Names[class], doubt: unknown}
	if unknown == nil {
		c.doubt = fmt.Errorf("no %d %s in a row succeeded before the run was over", inARow, withClass("requests", c.name))
	}
	streak := 0
	var first time.Duration
	all := evidence.Requests.Of(run)
	for i := firstDue(all, from); i < len(all); i++ {
		t := &all[i]
		if b.Of[i] != class || !t.Waited() {
			continue
		}
		asked = true
		slow, answered := unknown == nil && t.Latency() > normal+noise, t.Succeeded()
		if slow && answered && b.blameless(t.Service(), normal+noise) || b.late && forRate(t) {
			continue // it tells nothing of the service
		}
		if !answered || slow {
			streak, c.after, c.failed = 0, t.Due-from, append(c.failed, t.Seq)
			continue
		}
		if streak++; streak == 1 {
			first = t.Due
		}
		if streak == inARow {
			c.after, c.doubt = first-from, unknown
			return c, asked
		}
	}
	return c, asked
}

// FailedOver is a guard: between the order of the fault and its heal, source saw another node than its target take the
// lead. It fails nothing, since it is the dependency's doing; the time is told beside the floor.
func FailedOver(fault, source, lead string) Check {
	return New("FailedOver", func(r *Run) (Verdict, error) {
		f, err := r.Fault(fault)
		if err != nil {
			return Verdict{}, err
		}
		taken, err := takenOver(r, fault, source, lead)
		if err != nil {
			return Verdict{}, err
		}
		took := Milliseconds(taken.At - f.Active)
		v := Passf(map[string]float64{"failover_ms": took}, "%s was %s %.0f ms after %q", taken.Node, lead, took, fault)
		v.Recovery = &RecoveryTimes{Fault: fault, Failover: &took}
		addFloor(r, &v)
		return v, nil
	})
}

// takenOver is TakenOver of the fault of that name, of which the injection is recorded.
func takenOver(r *Run, fault, source, lead string) (evidence.Observation, error) {
	in, _ := r.Injection(fault)
	taken, ok := r.TakenOver(in, source, lead)
	if !ok {
		return taken, fmt.Errorf("%s saw no other node than %s as %s while %q lasted", source, in.Target, lead, fault)
	}
	return taken, nil
}

// addFloor tells the least time that the running configuration lets the failed dependency take to serve again.
func addFloor(r *Run, v *Verdict) {
	if floor, ok := r.Param(evidence.ParamFloor + v.Recovery.Fault); ok {
		ms := Milliseconds(floor)
		v.Figures["floor_ms"], v.Recovery.Floor = ms, &ms
	}
}
