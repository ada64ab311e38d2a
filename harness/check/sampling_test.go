package check_test

import (
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// blind takes the scrapes of 2.5 s from a history.
func blind(name string, from time.Duration) func(*history) {
	return func(h *history) {
		h.samples = slices.DeleteFunc(h.samples, func(s evidence.Sample) bool {
			return s.Node == name && s.At > from && s.At < from+2500*time.Millisecond
		})
	}
}

// forget leaves nothing of what a failed scrape recorded.
func forget(name string) func(*history) {
	return func(h *history) {
		h.samples = slices.DeleteFunc(h.samples, func(s evidence.Sample) bool { return s.Node == name && s.Error != "" })
	}
}

// samplingCases are about probes that look, and nodes that answer.
func samplingCases() []verdictCase {
	const term, kill, pause = evidence.FaultTerm, evidence.FaultKill, evidence.FaultPause
	sampled := check.ProbesSampled()
	on := func(h *history) { h.sampleOn(8 * time.Second) }
	silent := func(name string, from time.Duration) func(*history) {
		return samples(name, loadFrom+from, func(s *evidence.Sample) { s.Error = "refused" })
	}
	return []verdictCase{
		{"sampled", sampled, term, unchanged, check.Pass, "3 nodes"},
		{"not looked at", sampled, term, blind("app-1", loadFrom+500*time.Millisecond), check.Unknown, "app-1 was not looked at for"},
		{"dead and confirmed", sampled, term, forget(victim), check.Pass, ""},
		{"dead and not confirmed", sampled, term, both(unconfirmed, forget(victim)), check.Unknown, "app-2 was not looked at for"},
		{"paused and confirmed", sampled, pause, forget(victim), check.Pass, ""},
		{"silenced by a fault of the system's own, and confirmed", sampled, kill, both(forget(victim), ownKind(func(in *evidence.Injection) { in.Silences = true })), check.Pass, ""},
		{"ended by a fault of the system's own, and confirmed", sampled, kill, both(forget(victim), ownKind(func(in *evidence.Injection) { in.Ends = true })), check.Pass, ""},
		{"silent under a fault of the system's own that does not silence", sampled, kill, both(forget(victim), ownKind(func(*evidence.Injection) {})), check.Unknown,
			"app-2 was not looked at for"},
		{"silenced by a fault of the system's own that could not be healed", sampled, kill,
			both(on, undoFailed, silent(victim, 4*time.Second), ownKind(func(in *evidence.Injection) { in.Silences = true })), check.Unknown, "and a fault on it is not confirmed"},
		{"does not answer", sampled, "", both(on, silent("app-3", 2*time.Second)), check.Fail, "app-3 did not answer scrapes"},
		{"does not answer in a kill that is not confirmed", sampled, kill, func(h *history) {
			unconfirmed(h)
			h.injections[0].Healing += 3 * time.Second
			silent(victim, h.trouble.at)(h)
		}, check.Unknown, "app-2 did not answer scrapes for"},
		{"does not answer, and could not be brought back", sampled, kill, both(on, undoFailed, silent(victim, 4*time.Second)), check.Unknown,
			"and a fault on it is not confirmed"},
		{"does not answer long after a kill", sampled, kill, both(on, silent(victim, 4*time.Second)), check.Fail, "app-2 did not answer scrapes for"},
		{"does not answer, and was not looked at in between", sampled, "", both(on, silent("app-3", 500*time.Millisecond), blind("app-3", loadFrom+500*time.Millisecond)), check.Fail,
			"app-3 did not answer scrapes"},
		{"does not answer, and was not looked at in the middle", sampled, "", both(on, silent("app-3", 4*time.Second), blind("app-3", loadFrom+6500*time.Millisecond)), check.Unknown,
			"app-3 was not looked at for"},
		{"never looked at", sampled, "", func(h *history) {
			h.samples = slices.DeleteFunc(h.samples, func(s evidence.Sample) bool { return s.Node == "app-2" })
		}, check.Unknown, "app-2 was never looked at"},
		{"no nodes", sampled, "", func(h *history) { h.nodes = nil }, check.Unknown, "no node of the service"},
		{"no load", sampled, "", nothing, check.Unknown, "start of the load"},
	}
}
