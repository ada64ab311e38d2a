package check

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Assumptions are what every run takes for granted. A broken one turns a pass into Unknown, except where it is the service
// itself that broke it.
func Assumptions() []Check {
	return []Check{EvidenceComplete(), ClocksAgree(), HealthyBefore(), WarmedUp(), HealthyAfter(), LoadKeptSchedule(), NoUnplannedDeath(), ProbesSampled()}
}

// EvidenceComplete: the evidence is whole and does not contradict itself. Every file ends where the manifest says, and no probe
// failed. The load and the collection were gone through and not interrupted. Every planned request is recorded once, with an id
// of its own and an outcome that its status bears out. Every node that a record names is a member of the system.
func EvidenceComplete() Check { return New("EvidenceComplete", evidenceComplete) }

func evidenceComplete(r *Run) (Verdict, error) {
	for _, o := range evidence.Observations.Each(r.Run) {
		if o.Source == evidence.SourceProbe && o.What == evidence.ProbeFailed {
			return Verdict{}, fmt.Errorf("probe %s failed: %s", o.Node, o.Detail)
		}
	}
	for _, phase := range []string{evidence.PhaseLoad, evidence.PhaseCollect} {
		if _, ok := r.Window(phase); !ok {
			return Verdict{}, fmt.Errorf("the run did not go through its phase %q", phase)
		}
	}
	for _, sound := range []func(*evidence.Run) error{everyRequestOnce, requestsAgree, idsDiffer, nodesKnown} {
		if err := sound(r.Run); err != nil {
			return Verdict{}, err
		}
	}
	return Passf(nil, "the evidence is whole"), nil
}

// requestsAgree finds records of requests whose fields contradict each other.
func requestsAgree(run *evidence.Run) error {
	var due time.Duration
	for _, q := range evidence.Requests.Each(run) {
		if q.Due < due {
			return fmt.Errorf("request %d was due before the one that it follows", q.Seq)
		}
		due = q.Due
		if q.Reason == evidence.ReasonCancelled {
			return fmt.Errorf("the run was interrupted while request %d was under way", q.Seq)
		}
		if flaw := contradiction(q); flaw != "" {
			return fmt.Errorf("request %d %s", q.Seq, flaw)
		}
	}
	return nil
}

// contradiction is what does not fit together in the record of a request; empty if all does.
func contradiction(q *evidence.Request) string {
	success := q.Status >= 200 && q.Status < 300
	switch {
	case q.Outcome == evidence.Unsent && q.Sent != 0:
		return "is unsent, yet was sent"
	case q.Outcome != evidence.Unsent && q.End < q.Sent:
		return "ended before it was sent"
	case q.Outcome == evidence.OK && !success, q.Outcome == evidence.Refused && success, q.Outcome == evidence.Rejected && (success || q.Status != q.Want):
		return fmt.Sprintf("is %s with status %d", q.Outcome, q.Status)
	case q.Outcome == evidence.OK && q.Want != 0:
		return fmt.Sprintf("is ok, yet was to get status %d", q.Want)
	case q.Succeeded() && q.Reason != "":
		return fmt.Sprintf("is %s, yet gives a reason why it is not: %s", q.Outcome, q.Reason)
	case q.Outcome != evidence.Refused && q.RetryAfter != 0:
		return "is not refused, yet advised to come again"
	}
	return ""
}

// idsDiffer finds two requests with one id.
func idsDiffer(run *evidence.Run) error {
	if id, twice := evidence.RequestIDs(run).Twice(); twice {
		return fmt.Errorf("two requests have the id %s", id)
	}
	return nil
}

// nodesKnown finds a node that is named by a record and is no member of the system.
func nodesKnown(run *evidence.Run) error {
	named := map[string]bool{}
	for _, s := range evidence.Samples.Each(run) {
		named[s.Node] = true
	}
	for _, e := range evidence.Exits.Each(run) {
		named[e.Node] = true
	}
	for _, in := range evidence.Injections.Each(run) {
		if in.Target != "" || in.Error == "" { // a fault that found no target says so in its error
			named[in.Target] = true
		}
	}
	for _, node := range slices.Sorted(maps.Keys(named)) {
		if _, known := run.Node(node); !known {
			return fmt.Errorf("records name %q, which is not a node of the system", node)
		}
	}
	return nil
}

// lagLimit bounds the 99th percentile of the time from due to sent: beyond it the latencies are the load generator's.
const lagLimit = 20 * time.Millisecond

// sendingTakes is for each of those requests that are due at one moment, which are sent one after another: on two slow cores a thousand took
// 23 ms. It adds to lagLimit.
const sendingTakes = 20 * time.Microsecond

// LoadKeptSchedule: every planned request was sent, and 99 of 100 within 20 ms of the moment they were due, and 20 us more for each other
// one of the most that were due at one moment.
func LoadKeptSchedule() Check {
	return New("LoadKeptSchedule", func(r *Run) (Verdict, error) {
		l := evidence.Derive(r.Run, newLags)
		v := Verdict{Figures: map[string]float64{"lag_p50_ms": Milliseconds(l.p50), "lag_p99_ms": Milliseconds(l.p99),
			"lag_max_ms": Milliseconds(l.most), "unsent": float64(l.unsent)}}
		if err := l.kept(); err != nil {
			return v, err
		}
		return Passf(v.Figures, "the load kept its schedule: lag p99 %.1f ms", Milliseconds(l.p99)), nil
	})
}

// keptSchedule reports whether latencies are the service's. Where they are not, a check that rests on them proves nothing,
// neither for nor against the service.
func keptSchedule(run *evidence.Run) bool { return evidence.Derive(run, newLags).kept() == nil }

// lags are how much later than they were due requests were sent.
type lags struct {
	sent, unsent          int
	together              int // the most that were due at one moment
	least, p50, p99, most time.Duration
}

func newLags(run *evidence.Run) (l lags) {
	all := make([]time.Duration, 0, len(evidence.Requests.Of(run)))
	due, together := time.Duration(-1), 0
	for _, t := range evidence.Requests.Each(run) { // in the order in which they were due
		if t.Outcome == evidence.Unsent {
			l.unsent++
			continue
		}
		if t.Due != due {
			due, together = t.Due, 0
		}
		together++
		l.together = max(l.together, together)
		all = append(all, t.Sent-t.Due)
	}
	if l.sent = len(all); l.sent == 0 {
		return l
	}
	slices.Sort(all)
	l.least, l.p50, l.p99, l.most = all[0], Percentile(all, 50), Percentile(all, 99), all[len(all)-1]
	return l
}

// kept is nil if the load kept its schedule, else why it did not.
func (l lags) kept() error {
	limit := lagLimit + time.Duration(l.together-1)*sendingTakes
	switch {
	case l.sent == 0:
		return errors.New("no request was sent")
	case l.unsent > 0:
		return fmt.Errorf("%d planned requests were not sent", l.unsent)
	case l.least < -lagLimit:
		return fmt.Errorf("requests were sent up to %.0f ms before they were due", -Milliseconds(l.least))
	case l.p99 > limit:
		return fmt.Errorf("requests were sent late: lag p99 %.1f ms, limit %.0f ms", Milliseconds(l.p99), Milliseconds(limit))
	}
	return nil
}
