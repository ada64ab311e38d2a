package check

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// NothingDropped: no planned request was dropped. Dropped is every request that failed or whose fate is ambiguous, and
// every refusal that the plan does not allow: outside the windows of Allow, beyond a window's share of the misses due in
// it, or of a request that must have been a hit, unless the window allows for hits as well. A request is a hit if an
// answer to its key had certainly been stored before it was due and was within its lifetime. Requests that the plan aborted
// are not dropped; unsent ones break an assumption. Unknown unless every planned request is recorded exactly once, or if all
// that was dropped was refused with status 429 and the load kept no schedule: whoever is late asks in bursts, faster than was
// planned.
func NothingDropped() Check { return complete("NothingDropped", nothingDropped) }

func nothingDropped(run *evidence.Run) Verdict {
	o := countOutcomes(run)
	allowed, unproven := allowedRefusals(run, o.count[evidence.Refused])
	o.spare(allowed)
	figures := o.figures()
	figures["refusals_allowed"] = float64(len(allowed))
	switch {
	case len(o.dropped) > 0 && o.tooFast() && !keptSchedule(run):
		return unknown("%d requests were refused for their rate, and the load kept no schedule", len(o.dropped)).with(figures)
	case o.count[evidence.Failed]+o.count[evidence.Ambiguous] > 0, len(o.dropped) > 0 && unproven == "":
		return fail(figures, o.dropped, "%d of %d requests were dropped: %s", len(o.dropped), o.planned, o.why)
	case unproven != "":
		return unknown("%s", unproven).with(figures)
	}
	if flaw := o.flaw(); flaw != "" {
		return unknown("%s", flaw).with(figures)
	}
	return pass(figures, "none of %d planned requests was dropped", o.planned)
}

// outcomes is what became of the planned requests.
type outcomes struct {
	planned, recorded uint64
	count             map[evidence.Outcome]int
	why               tally    // dropped requests by outcome and reason
	dropped           []uint64 // their numbers
	refused           map[uint64]*evidence.Call
	misnumbered       string
}

func countOutcomes(run *evidence.Run) *outcomes {
	o := &outcomes{count: map[evidence.Outcome]int{}, why: tally{}, refused: map[uint64]*evidence.Call{}}
	for _, s := range run.Plan.Load {
		o.planned += s.Requests
	}
	for i, c := range eachBrief(run) {
		if c.Seq != o.recorded && o.misnumbered == "" {
			o.misnumbered = fmt.Sprintf("the record of requests is not whole: number %d follows %d others", c.Seq, o.recorded)
		}
		o.recorded++
		o.count[c.Outcome]++
		switch c.Outcome {
		case evidence.Failed, evidence.Ambiguous, evidence.Refused:
			c := run.CallAt(i)
			o.why[describe(c)]++
			o.dropped = append(o.dropped, c.Seq)
			if c.Outcome == evidence.Refused {
				o.refused[c.Seq] = c
			}
		}
	}
	return o
}

// spare takes refusals off the dropped requests.
func (o *outcomes) spare(allowed map[uint64]bool) {
	o.dropped = slices.DeleteFunc(o.dropped, func(seq uint64) bool { return allowed[seq] })
	for seq := range allowed {
		label := describe(o.refused[seq])
		if o.why[label]--; o.why[label] == 0 {
			delete(o.why, label)
		}
	}
}

// tooFast says whether all that was dropped was refused for its rate.
func (o *outcomes) tooFast() bool {
	return !slices.ContainsFunc(o.dropped, func(seq uint64) bool {
		c, refused := o.refused[seq]
		return !refused || !forRate(c)
	})
}

// forRate says whether a request was refused because too many came at once.
func forRate(c *evidence.Call) bool {
	return c.Outcome == evidence.Refused && c.Status == http.StatusTooManyRequests
}

// flaw says why the counts prove nothing; empty if they add up.
func (o *outcomes) flaw() string {
	var known int
	for _, out := range evidence.Outcomes() {
		known += o.count[out]
	}
	switch {
	case o.planned == 0:
		return "no requests were planned"
	case o.misnumbered != "":
		return o.misnumbered
	case o.recorded != o.planned:
		return fmt.Sprintf("%d requests were planned and %d are recorded", o.planned, o.recorded)
	case uint64(known) != o.recorded:
		return fmt.Sprintf("%d recorded requests have no known outcome", o.recorded-uint64(known))
	case o.count[evidence.OK]+o.count[evidence.Refused] == 0:
		return "no request was answered at all"
	}
	return ""
}

func (o *outcomes) figures() map[string]float64 {
	f := map[string]float64{"planned": float64(o.planned), "dropped": float64(len(o.dropped))}
	for _, out := range evidence.Outcomes() {
		f[string(out)] = float64(o.count[out])
	}
	return f
}

func describe(c *evidence.Call) string {
	switch {
	case c.Reason != "" && c.Status != 0:
		return fmt.Sprintf("%s (%s %d)", c.Outcome, c.Reason, c.Status)
	case c.Reason != "":
		return fmt.Sprintf("%s (%s)", c.Outcome, c.Reason)
	}
	return fmt.Sprintf("%s (%d)", c.Outcome, c.Status)
}

// allowedRefusals finds the refusals that the plan permits. unproven says why that cannot be known.
func allowedRefusals(run *evidence.Run, refusals int) (allowed map[uint64]bool, unproven string) {
	if len(run.Plan.Allow) == 0 || refusals == 0 {
		return nil, ""
	}
	start, ok := loadStart(run)
	if !ok {
		return nil, "the start of the load, from which allowances count, is not recorded"
	}
	if _, ok := lifetimeOf(run); !ok {
		return nil, "the plan lacks the lifetime of answers, which tells hits from misses"
	}
	if l := readLedger(run); l.flaw != "" {
		return nil, l.flaw
	}
	answers := readHits(run)
	allowed = map[uint64]bool{}
	for _, a := range run.Plan.Allow {
		permit(run, a, start, answers, allowed)
	}
	return allowed, ""
}

// rounding keeps a share such as 0.29 of 100 from allowing 28.
const rounding = 1e-9

// permit allows the first refusals of the window, as many as its share of the misses due in it, or of all requests if hits may
// be refused, too.
func permit(run *evidence.Run, a evidence.Allowance, start time.Duration, answers hits, allowed map[uint64]bool) {
	var due int
	var refused []uint64
	for i, c := range eachBrief(run) {
		if at := c.Due - start; at < a.From || at >= a.To || answers[i] && !a.Hits {
			continue
		}
		due++
		if c.Outcome == evidence.Refused && !allowed[c.Seq] {
			refused = append(refused, c.Seq)
		}
	}
	most := int(a.Share*float64(due) + rounding)
	for _, seq := range refused[:min(most, len(refused))] {
		allowed[seq] = true
	}
}
