package check

import (
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Lead names who tells of a lead, and what it calls the node that has it.
type Lead struct{ Source, What string }

// Clients names who tells whether a node has clients, and what it says if it has.
type Clients struct{ Source, What string }

// NobodyStays: from limit after another node took the lead from the target of the fault, no client was connected to the
// target, unless it led again. What is still connected to a former leader gets old answers, or none. Unknown unless the fault
// is certified, somebody else did take the lead, and clients were seen at the target before that.
func NobodyStays(fault string, proof Certificate, lead Lead, clients Clients, limit time.Duration) Check {
	return complete("NobodyStays", func(run *evidence.Run) Verdict {
		d, missing := certified(run, fault, proof)
		if missing != "" {
			return unknown("%s", missing)
		}
		taken, ok := takenOver(run, d.Injection, lead.Source, lead.What)
		if !ok {
			return unknown("%s saw no other node than %s as %s while %q lasted", lead.Source, d.Target, lead.What, fault)
		}
		former := term(run, d.Target, lead.Source, lead.What, taken.At)
		seen, stayed := connected(run, d.Target, clients, former)
		figures := map[string]float64{"longest_stay_ms": ms(stayed), "limit_ms": ms(limit)}
		switch {
		case stayed > limit:
			return fail(figures, nil, "clients were connected to %s for %.1f s after %s had become %s", d.Target, stayed.Seconds(), taken.Node, lead.What)
		case !seen:
			return unknown("%s saw no client at %s before %s took over", clients.Source, d.Target, taken.Node).with(figures)
		}
		return pass(figures, "the last client had left %s %.0f ms after %s had become %s", d.Target, ms(stayed), taken.Node, lead.What)
	})
}

// term is from a moment to the target's next lead, or to the end of the run.
func term(run *evidence.Run, target, source, lead string, from time.Duration) span {
	next, led := observed(run, target, source, lead, from)
	if led {
		return span{from, next.At}
	}
	return span{from, lastActivity(run)}
}

// connected says whether clients were seen at the node before the span, and how far into it they last were.
func connected(run *evidence.Run, node string, clients Clients, within span) (before bool, stayed time.Duration) {
	there := false
	for o := range run.Observations() {
		if o.Source != clients.Source || o.Node != node || o.At > within.to {
			continue
		}
		if there && o.At > within.from {
			stayed = o.At - within.from
		}
		there = o.What == clients.What
		before = before || there && o.At <= within.from
	}
	if there {
		stayed = max(0, within.to-within.from)
	}
	return before, stayed
}
