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

// ParamFloor followed by the name of a fault names the parameter that holds the least time which the running configuration
// lets the failed dependency take to serve again, such as the time after which its members call one of them dead.
const ParamFloor = "floor "

// RecoversWithin: from the moment at which the fault was active to the first of ten consecutive successes, no more than
// limit went by, for hits and for misses. A success is an answer that comes no more than 100 ms later than is normal, the
// p99 of its class before the fault; its time is when it was due. Unknown unless the fault is certified and enough
// requests came after it.
func RecoversWithin(fault string, proof Certificate, limit time.Duration) Check {
	return recovers("RecoversWithin", fault, proof, limit, func(d disturbance) time.Duration { return d.Active })
}

// RecoversAfterHeal is RecoversWithin from the order to heal the fault, for one that the service cannot make up for while it
// lasts. The certified heal may come later: that of an upstream is proved by the first call after it, which is what a breaker
// keeps back.
func RecoversAfterHeal(fault string, proof Certificate, limit time.Duration) Check {
	return recovers("RecoversAfterHeal", fault, proof, limit, func(d disturbance) time.Duration { return d.Healing })
}

func recovers(name, fault string, proof Certificate, limit time.Duration, from func(disturbance) time.Duration) Check {
	return complete(name, func(run *evidence.Run) Verdict {
		d, p, missing := disturbed(run, fault, proof)
		if missing != "" {
			return unknown("%s", missing)
		}
		figures := map[string]float64{"limit_ms": ms(limit)}
		addFloor(figures, run, fault)
		return judgeRecoveries(recoveries(run, p, from(d)), limit, figures)
	}).about(fault)
}

func judgeRecoveries(all []recovery, limit time.Duration, figures map[string]float64) Verdict {
	var slowest time.Duration
	for _, r := range all {
		figures["recovery_"+string(r.class)+"_ms"] = ms(r.after)
		slowest = max(slowest, r.after)
	}
	for _, r := range all {
		if r.after > limit {
			return fail(figures, r.failed, "a %s still failed or was slow %.0f ms later; %.0f ms are allowed", r.class, ms(r.after), ms(limit))
		}
	}
	for _, r := range all {
		if r.doubt != "" {
			return unknown("%s", r.doubt).with(figures)
		}
	}
	if len(all) == 0 {
		return unknown("no request was due afterwards").with(figures)
	}
	return pass(figures, "requests had recovered after %.0f ms; %.0f ms are allowed", ms(slowest), ms(limit))
}

// recovery is how requests of a class fared from a moment on.
type recovery struct {
	class  class
	after  time.Duration // until the first of ten successes in a row, or the last request that was none if they never came
	failed []uint64      // requests that did not succeed until then
	doubt  string        // why it is not known that they recovered; empty if it is
}

// recoveries measures each class of which a request was due from that moment on.
func recoveries(run *evidence.Run, p pace, from time.Duration) (all []recovery) {
	for _, k := range []class{hit, miss} {
		if r, asked := recoveryOf(run, p, k, from); asked {
			all = append(all, r)
		}
	}
	return all
}

func recoveryOf(run *evidence.Run, p pace, k class, from time.Duration) (r recovery, asked bool) {
	normal, missing := p.normal(k)
	r = recovery{class: k, doubt: fmt.Sprintf("no %d of the class %s in a row succeeded before the run was over", inARow, k)}
	streak := 0
	var first time.Duration
	for i, c := range dueSince(run, from) {
		if p.class(i) != k || !waited(c) {
			continue
		}
		if asked = true; missing != "" {
			return recovery{class: k, doubt: missing}, asked
		}
		slow, answered := latency(c) > normal+noise, c.Outcome == evidence.OK
		if slow && answered && p.blameless(service(c), normal+noise) || p.late && forRate(run.CallAt(i)) {
			continue // it tells nothing of the service
		}
		if !answered || slow {
			streak, r.after, r.failed = 0, c.Due-from, append(r.failed, c.Seq)
			continue
		}
		if streak++; streak == 1 {
			first = c.Due
		}
		if streak == inARow {
			r.after, r.doubt = first-from, ""
			return r, asked
		}
	}
	return r, asked
}

// FailedOver is a guard: between the order of the fault and its heal, source saw another node than its target take the
// lead. It fails nothing, since it is the dependency's doing; the time is told beside the floor.
func FailedOver(fault string, proof Certificate, source, lead string) Check {
	return complete("FailedOver", func(run *evidence.Run) Verdict {
		d, missing := certified(run, fault, proof)
		if missing != "" {
			return unknown("%s", missing)
		}
		taken, ok := takenOver(run, d.Injection, source, lead)
		if !ok {
			return unknown("%s saw no other node than %s as %s while %q lasted", source, d.Target, lead, fault)
		}
		figures := map[string]float64{"failover_ms": ms(taken.At - d.Active)}
		addFloor(figures, run, fault)
		return pass(figures, "%s was %s %.0f ms after %q", taken.Node, lead, ms(taken.At-d.Active), fault)
	}).about(fault)
}

func addFloor(figures map[string]float64, run *evidence.Run, fault string) {
	if floor, ok := run.Param(ParamFloor + fault); ok {
		figures["floor_ms"] = ms(floor)
	}
}
