package check_test

import (
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// looked says that the probe looked at the end of the history.
func (h *history) looked(probe string) {
	h.Observations = append(h.Observations, evidence.Observation{At: lastSeen(h), Source: evidence.SourceProbe, Node: probe, What: evidence.ProbeCollected})
}

// left looks, three leases after the last activity, and finds one lease that ends that long after the look.
func left(taken, ends time.Duration) func(*history) {
	return func(h *history) {
		h.looked(evidence.ProbeLeases)
		seen := lastSeen(h) + 3*h.plan.Params[evidence.ParamLease]
		l := evidence.Lease{Store: "postgres", Node: "haproxy-1", Key: h.Upstream[0].Key, Owner: "token", Seen: seen, Taken: taken}
		if ends != 0 {
			l.Ends = seen + ends
		}
		h.Leases = append(h.Leases, l)
	}
}

// endedAt is left over from a time of the load.
func endedAt(at time.Duration) func(*history) {
	return func(h *history) {
		left(0, -time.Second)(h)
		h.Leases[0].Taken, h.Leases[0].Ends = loadFrom+at-time.Second, loadFrom+at
	}
}

// leftHeldCases are about locks and claims at rest.
func leftHeldCases() []verdictCase {
	const during, before = 5 * time.Second, 2 * time.Second
	nothing := check.NothingLeftHeld("llm")
	ofLLM := func(alter func(*history)) func(*history) {
		return func(h *history) {
			alter(h)
			h.Injections[0].Target = "llm-1"
		}
	}
	return []verdictCase{
		{"nothing left", nothing, "", func(h *history) { h.looked(evidence.ProbeLeases) }, check.Pass, "no lock and no claim was left"},
		{"nobody looked", nothing, "", func(*history) {}, check.Unknown, "nobody looked"},
		{"the look failed", nothing, "", func(h *history) { h.looked("other") }, check.Unknown, "nobody looked"},
		{"held still", nothing, "", left(0, 500*time.Millisecond), check.Fail, "1 locks and claims were held at rest"},
		{"held for ever", nothing, "", left(0, 0), check.Fail, "key key-acme-90 in postgres, token token"},
		{"whose it is", nothing, "", left(0, 0), check.Fail, "1 gateway-1;"},
		{"held by one that died", nothing, evidence.FaultKill, left(0, 500*time.Millisecond), check.Fail, "held at rest"},
		{"looked too soon", nothing, "", func(h *history) {
			left(0, time.Second)(h)
			h.Leases[0].Seen, h.Leases[0].Ends = h.Calls[6].End+100*time.Millisecond, h.Calls[6].End+time.Second
		}, check.Unknown, "before a lease was over"},
		{"not given back", nothing, "", endedAt(before), check.Fail, "1 had ended without being given back"},
		{"not given back by one that died", nothing, evidence.FaultKill, endedAt(during), check.Pass, "1 ended by themselves"},
		{"not given back before the kill", nothing, evidence.FaultKill, endedAt(before), check.Fail, "1 had ended without"},
		{"not given back at a SIGTERM", nothing, evidence.FaultTerm, endedAt(during), check.Fail, "1 had ended without"},
		{"not given back when the upstream failed", nothing, evidence.FaultKill, ofLLM(endedAt(during)), check.Fail, "1 had ended without"},
		{"the heal was never ordered", nothing, evidence.FaultKill, func(h *history) { endedAt(during)(h); h.Injections[0].Healing = 0 }, check.Pass, ""},
		{"no lease known", nothing, "", drop(evidence.ParamLease), check.Unknown, "lacks the lease"},
	}
}
