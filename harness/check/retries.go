package check

import (
	"fmt"
	"strings"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// cleanEnd begins the termination state of a request that ended as it should; clientLeft begins that of one that its
// client closed.
const (
	cleanEnd   = "--"
	clientLeft = "C"
)

// NoHiddenRetries: nobody repeated a request on the client's behalf. The load balancer's log shows no retry, no redispatch
// and no unclean end, except while a certified kill or freeze of a node of the service lasted, from its order to its proven
// end; a SIGTERM excuses nothing, nor does a fault of a node that the service depends on. A certified cut that the load balancer
// itself saw take a node of the service away is to it what a freeze is. The client's own transport used one connection per
// request, and no request id came by twice. Unknown unless every request that was sent is in the log, and has an id of its own.
func NoHiddenRetries() Check { return complete("NoHiddenRetries", noHiddenRetries) }

func noHiddenRetries(run *evidence.Run) Verdict {
	r := retries{excuses: takenAway(run), why: tally{}}
	if id := readPlaces(run).twice; id != "" {
		return unknown("two requests have the id %s", id)
	}
	passes := make([]int32, count(run.EachCall()))
	bad := map[int]string{}
	passed := readPlaces(run).hop
	for j, h := range run.EachHop() {
		i := int(passed[j])
		if passed[j] == none {
			continue
		}
		passes[i]++
		if what := r.hidden(h); what != "" {
			bad[i] = what
		}
	}
	for i, c := range run.EachCall() {
		r.call(c, passes[i], bad[i])
	}
	figures := map[string]float64{"hops": float64(r.logged), "repeated": float64(len(r.culprits)), "excused": float64(r.excused)}
	switch {
	case len(r.culprits) > 0:
		return fail(figures, r.culprits, "%d requests did not pass cleanly at the first attempt: %s", len(r.culprits), r.why)
	case r.logged+r.missing == 0:
		return unknown("no request was sent").with(figures)
	case r.missing > 0:
		return unknown("%d requests that were sent are missing from the load balancer's log", r.missing).with(figures)
	}
	return pass(figures, "all %d requests passed the load balancer at the first attempt, %d others were excused", r.logged-r.excused, r.excused)
}

type retries struct {
	excuses                  []disturbance
	logged, missing, excused int
	culprits                 []uint64
	why                      tally
}

// call judges one request by its client's record and what the log has of it.
func (r *retries) call(c *evidence.Call, passes int32, hidden string) {
	if c.Outcome == evidence.Unsent {
		return
	}
	if passes == 0 {
		r.missing++
	} else {
		r.logged++
	}
	switch {
	case passes > 1:
		r.blame(c, "came by more than once")
	case c.Conns > 1:
		r.blame(c, "used more than one connection")
	case hidden == excused:
		r.excused++
	case hidden == "", c.Outcome == evidence.Aborted && strings.HasPrefix(hidden, unclean+clientLeft):
	default:
		r.blame(c, hidden)
	}
}

func (r *retries) blame(c *evidence.Call, what string) {
	r.why[what]++
	r.culprits = append(r.culprits, c.Seq)
}

const (
	excused = "excused"
	unclean = "ended as "
)

// hidden says what the log shows of a request beyond one clean pass; empty if nothing.
func (r *retries) hidden(h *evidence.Hop) string {
	what := ""
	switch {
	case h.Redispatched:
		what = "redispatched"
	case h.Retries > 0:
		what = "retried"
	case !strings.HasPrefix(h.Termination, cleanEnd):
		what = fmt.Sprintf("%s%s", unclean, h.Termination)
	}
	if what == "" {
		return ""
	}
	for _, d := range r.excuses {
		if d.whole().meets(span{h.At, h.End}) {
			return excused
		}
	}
	return what
}
