package check

import (
	"fmt"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// EvidenceComplete: the evidence is whole and does not contradict itself. Every file ends where the manifest says, no probe
// failed, the load and the collection were gone through and not interrupted, every planned request is recorded once with an outcome that its
// status bears out, the upstream's ledger has no holes, and every node that a record names is a member of the system.
func EvidenceComplete() Check { return complete("EvidenceComplete", evidenceComplete) }

func evidenceComplete(run *evidence.Run) Verdict {
	for o := range run.Observations() {
		if o.Source == evidence.SourceProbe && o.What == evidence.ProbeFailed {
			return unknown("probe %s failed: %s", o.Node, o.Detail)
		}
	}
	for _, phase := range []string{evidence.PhaseLoad, evidence.PhaseCollect} {
		if _, ok := run.Window(phase); !ok {
			return unknown("the run did not go through its phase %q", phase)
		}
	}
	if flaw := countOutcomes(run).flaw(); flaw != "" {
		return unknown("%s", flaw)
	}
	var due time.Duration
	for _, c := range run.EachCall() {
		if c.Due < due {
			return unknown("request %d was due before the one that it follows", c.Seq)
		}
		due = c.Due
		if c.Reason == evidence.ReasonCancelled {
			return unknown("the run was interrupted while request %d was under way", c.Seq)
		}
		if flaw := contradiction(c); flaw != "" {
			return unknown("request %d %s", c.Seq, flaw)
		}
	}
	if id := readPlaces(run).twice; id != "" {
		return unknown("two requests have the id %s", id)
	}
	if l := readLedger(run); len(l.calls) > 0 && l.flaw != "" {
		return unknown("%s", l.flaw)
	}
	if stranger := unknownNode(run); stranger != "" {
		return unknown("records name %q, which is not a node of the system", stranger)
	}
	return pass(nil, "the evidence is whole")
}

// contradiction says what does not fit together in the record of a request.
func contradiction(c *evidence.Call) string {
	success := c.Status >= 200 && c.Status < 300
	switch {
	case c.Outcome == evidence.Unsent && c.Sent != 0:
		return "is unsent, yet was sent"
	case c.Outcome != evidence.Unsent && c.End < c.Sent:
		return "ended before it was sent"
	case c.Outcome == evidence.OK && !success, c.Outcome == evidence.Refused && success:
		return fmt.Sprintf("is %s with status %d", c.Outcome, c.Status)
	case c.Outcome == evidence.OK && c.Reason != "":
		return "is ok, yet gives a reason why it is not: " + c.Reason
	case c.Outcome != evidence.Refused && c.RetryAfter != 0:
		return "is not refused, yet advised to come again"
	}
	return ""
}

// unknownNode finds a node that is named by a record and is no member of the system.
func unknownNode(run *evidence.Run) string {
	members := map[string]bool{}
	for n := range run.Nodes() {
		members[n.Name] = true
	}
	for s := range run.Samples() {
		if !members[s.Node] {
			return s.Node
		}
	}
	for e := range run.Exits() {
		if !members[e.Node] {
			return e.Node
		}
	}
	for in := range run.Injections() {
		if !members[in.Target] {
			return in.Target
		}
	}
	return ""
}
