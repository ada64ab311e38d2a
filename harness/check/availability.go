package check

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// NothingDropped: no planned request was dropped. Dropped is every request that failed or whose fate is ambiguous, and every
// refusal that the plan does not allow: outside the windows of its allowances, of a class that an allowance does not name, or
// beyond its share of the requests of its classes due in the window. Requests that the plan aborted are not dropped; unsent ones
// break an assumption.
//
// Unknown unless every planned request is recorded exactly once, or if some were refused and it cannot be known which of them the
// plan allows; these are not counted then. Unknown, too, if all that was dropped was refused with status
// 429 and the load kept no schedule: a late load generator asks in bursts, faster than was planned.
func NothingDropped() Check {
	return New("NothingDropped", func(r *Run) (Verdict, error) {
		v, err := nothingDropped(r)
		v.Headlines = []Headline{{Title: "dropped", Figure: "dropped"}}
		return v, err
	})
}

func nothingDropped(r *Run) (Verdict, error) {
	allowed, unproven := allowedRefusals(r)
	var dropped Findings
	tooFast := true // all that was dropped was refused for its rate
	for i, q := range evidence.Requests.Each(r.Run) {
		untold := unproven != nil && q.Outcome == evidence.Refused
		if isDropped(q.Outcome) && !allowed[i] && !untold {
			dropped.Add(describe(q), q.Seq)
			tooFast = tooFast && forRate(q)
		}
	}
	o := countOutcomes(r.Run)
	figures := o.figures()
	figures["dropped"], figures["refusals_allowed"] = float64(dropped.N()), float64(len(allowed))
	v := Verdict{Figures: figures}
	switch {
	case dropped.N() > 0 && tooFast && !keptSchedule(r.Run):
		return v, fmt.Errorf("%d requests were refused for their rate, and the load kept no schedule", dropped.N())
	case dropped.N() > 0:
		return Failf(figures, dropped.Requests(), "%d of %d requests were dropped: %s", dropped.N(), o.planned, &dropped), nil
	case unproven != nil:
		return v, unproven
	}
	if err := everyRequestOnce(r.Run); err != nil {
		return v, err
	}
	return Passf(figures, "none of %d planned requests was dropped", o.planned), nil
}

// isDropped reports whether requests of that outcome are dropped, unless a refusal is allowed.
func isDropped(o evidence.Outcome) bool {
	return o == evidence.Failed || o == evidence.Ambiguous || o == evidence.Refused
}

// forRate reports whether a request was refused because too many came at once.
func forRate(q *evidence.Request) bool {
	return q.Outcome == evidence.Refused && q.Status == http.StatusTooManyRequests
}

func describe(q *evidence.Request) string {
	switch {
	case q.Reason != "" && q.Status != 0:
		return fmt.Sprintf("%s (%s %d)", q.Outcome, q.Reason, q.Status)
	case q.Reason != "":
		return fmt.Sprintf("%s (%s)", q.Outcome, q.Reason)
	}
	return fmt.Sprintf("%s (%d)", q.Outcome, q.Status)
}

// outcomes is what became of the planned requests.
type outcomes struct {
	planned, recorded uint64
	count             map[evidence.Outcome]int
	misnumbered       error
}

func countOutcomes(run *evidence.Run) *outcomes { return evidence.Derive(run, newOutcomes) }

func newOutcomes(run *evidence.Run) *outcomes {
	o := &outcomes{count: map[evidence.Outcome]int{}}
	for _, s := range run.Plan.Load {
		o.planned += s.Requests
	}
	for _, t := range evidence.Requests.Each(run) {
		if t.Seq != o.recorded && o.misnumbered == nil {
			o.misnumbered = fmt.Errorf("the record of requests is not whole: number %d follows %d others", t.Seq, o.recorded)
		}
		o.recorded++
		o.count[t.Outcome]++
	}
	return o
}

func (o *outcomes) figures() map[string]float64 {
	f := map[string]float64{"planned": float64(o.planned)}
	for _, out := range evidence.Outcomes() {
		f[string(out)] = float64(o.count[out])
	}
	return f
}

// everyRequestOnce is nil if every planned request is recorded once, with a known outcome, and some were answered.
func everyRequestOnce(run *evidence.Run) error {
	o := countOutcomes(run)
	known := 0
	for _, out := range evidence.Outcomes() {
		known += o.count[out]
	}
	switch {
	case o.planned == 0:
		return errors.New("no requests were planned")
	case o.misnumbered != nil:
		return o.misnumbered
	case o.recorded != o.planned:
		return fmt.Errorf("%d requests were planned and %d are recorded", o.planned, o.recorded)
	case uint64(known) != o.recorded:
		return fmt.Errorf("%d recorded requests have no known outcome", o.recorded-uint64(known))
	case o.count[evidence.OK]+o.count[evidence.Rejected]+o.count[evidence.Refused] == 0:
		return errors.New("no request was answered at all")
	}
	return nil
}

// allowedRefusals are the places of refused requests that the plan permits to be. The error says why that cannot be known.
func allowedRefusals(r *Run) (map[int]bool, error) {
	if len(r.Plan.Allow) == 0 || countOutcomes(r.Run).count[evidence.Refused] == 0 {
		return nil, nil
	}
	load, err := r.Load()
	if err != nil {
		return nil, err
	}
	classes, err := r.Classes()
	if err != nil {
		return nil, err
	}
	allowed := map[int]bool{}
	for _, a := range r.Plan.Allow {
		if err := classes.know(a.Classes); err != nil {
			return nil, fmt.Errorf("the plan allows refusals: %w", err)
		}
		permit(r.Run, a, load.From, classes, allowed)
	}
	return allowed, nil
}

// rounding keeps a share such as 0.29 of 100 from allowing 28.
const rounding = 1e-9

// permit allows the first refusals of the window, as many as its share of the requests of its classes due in it.
func permit(run *evidence.Run, a evidence.Allowance, start time.Duration, classes Classes, allowed map[int]bool) {
	due := 0
	var refused []int
	for i, t := range evidence.Requests.Each(run) {
		if at := t.Due - start; at < a.From || at >= a.To || !classes.Is(i, a.Classes) {
			continue
		}
		due++
		if t.Outcome == evidence.Refused && !allowed[i] {
			refused = append(refused, i)
		}
	}
	most := int(a.Share*float64(due) + rounding)
	for _, place := range refused[:min(most, len(refused))] {
		allowed[place] = true
	}
}

// ErrorsWithin: of the requests due in the window no more than that share, 0 to 1, failed or are of an unknown fate.
func ErrorsWithin(window Window, share float64) Check {
	return shareWithin("ErrorsWithin", "failed", window, share, func(o evidence.Outcome) bool {
		return o == evidence.Failed || o == evidence.Ambiguous
	})
}

// RefusalsWithin: of the requests due in the window no more than that share, 0 to 1, were refused.
func RefusalsWithin(window Window, share float64) Check {
	return shareWithin("RefusalsWithin", "were refused", window, share, func(o evidence.Outcome) bool { return o == evidence.Refused })
}

// shareWithin is Unknown if nobody waited for a request that was due in the window.
func shareWithin(name, did string, window Window, share float64, is func(evidence.Outcome) bool) Check {
	return New(name, func(r *Run) (Verdict, error) {
		w, err := window(r)
		if err != nil {
			return Verdict{}, err
		}
		due := 0
		var such []uint64
		inWindow := dueIn(r.Run, w)
		for i := range inWindow {
			q := &inWindow[i]
			if !q.Waited() {
				continue
			}
			if due++; is(q.Outcome) {
				such = append(such, q.Seq)
			}
		}
		if due == 0 {
			return Verdict{}, fmt.Errorf("no request was due in the window %q", w.Name)
		}
		got := float64(len(such)) / float64(due)
		figures := map[string]float64{"requests": float64(due), "such": float64(len(such)), "share": got, "share_allowed": share}
		if got > share+rounding {
			return Failf(figures, such, "%d of %d requests in the window %q %s, a share of %.4f; %.4f is allowed", len(such), due, w.Name, did, got, share), nil
		}
		return Passf(figures, "%d of %d requests in the window %q %s; a share of %.4f is allowed", len(such), due, w.Name, did, share), nil
	})
}
