package check

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

const (
	// soonest is the shortest advice that means anything: the header counts whole seconds, and 0 says come at once. It is also by how
	// much an advice may be too long, since it is rounded up.
	soonest = time.Second
	// earlySlack is by how much an advice may be too short. Whoever comes then has left it to the replica's own words, so nothing but
	// clocks can be off.
	earlySlack = 100 * time.Millisecond
	// lateSlack is by how much an advice may be too long, beyond its being rounded up.
	lateSlack = 500 * time.Millisecond
	// workOnItsWay is how much later than the replica let it through work may be seen to begin, on a machine that is busy.
	workOnItsWay = time.Second
)

// Insight is what others than clients saw that bears on the advice of refusals. Where a function is nil, nobody saw anything.
type Insight struct {
	// Replicas are the nodes that answered the requests, by the places of the requests; empty where nobody knows for sure.
	Replicas func(*Run) []string
	// Work is what replicas did for requests that they let through, in any order, made for the caller. Whoever works for somebody
	// refuses not everybody, and whoever works for a user does not refuse that user.
	Work func(*Run) []Work
	// Shows reports whether Work shows all that a fault did to the replicas, so that it excuses nothing by itself.
	Shows func(evidence.Injection) bool
	// Unforeseen are times in which, by what others saw, no replica could know when it would answer again, beside those of faults.
	Unforeseen func(*Run) ([]evidence.Span, error)
}

// Work is something that a replica did for a request, such as a question to what the service depends on.
type Work struct {
	Replica string
	For     int32 // the place of the request; evidence.None if nobody knows
	evidence.Span
	Failed bool
	Asked  time.Duration // for how long the replica was asked to stay away after that; 0 if it was not
}

// RetryAfterHonest: every refusal tells the client when to come back, and means it. It carries a Retry-After of at least 1 s and at
// most the plan's ParamRetryAfter, or what a replica was asked to wait. It is compared with when the replica that refused, in fact,
// let the like through again. The like is what was refused with the same status: with 429 requests of the same user by the same credential, else requests
// of the same class.
//
//   - Not too early: 100 ms after the advised moment and later, the replica does not refuse the like if it let nobody through in
//     between, so that nothing can have changed. With 429 nobody means no replica, since replicas may share a limit.
//   - Not too late: the replica let the like through no longer before the advised moment than 1 s, by which advice is rounded up, and
//     500 ms. Work that may have been on its way, for 1 s, does not count. Other than with 429, only work counts, and only for the same
//     user: an answer may be somebody else's, and a replica may refuse one user for what that user's requests did.
//   - A user who asked with the same key again when that time had passed was not refused again by that replica with the same status.
//     Work of the replica that failed shortly before or in between excuses it.
//
// A fault excuses refusals from its order until ParamRetryAfter after the order to heal it: what shields the service from it may stay up
// for so long. One that Work shows does not. Where nobody saw which replica answers, a service is taken for one replica, and only the
// last of the three is compared. Unknown if the plan does not say how long an advice may be, or if clocks disagree although Work is
// compared.
func RetryAfterHonest(seen Insight) Check {
	return New("RetryAfterHonest", func(r *Run) (Verdict, error) {
		longest, unstated := r.NeedParam(evidence.ParamRetryAfter)
		a := advice{run: r, Insight: seen, stated: unstated == nil, most: longest, last: map[question]*evidence.Request{}}
		if err := a.excuse(); err != nil {
			return Verdict{}, err
		}
		if countOutcomes(r.Run).count[evidence.Refused] == 0 { // then there is nothing to compare with what others saw, and that is much
			return a.verdict(unstated)
		}
		a.look()
		for i, q := range evidence.Requests.Each(r.Run) {
			if a.stated {
				a.follow(i, q)
			}
			if q.Outcome == evidence.Refused {
				a.judge(i, q)
			}
		}
		if a.stated {
			if err := a.compare(); err != nil {
				return Verdict{}, err
			}
		}
		return a.verdict(unstated)
	})
}

func (a *advice) verdict(unstated error) (Verdict, error) {
	figures := map[string]float64{"refused": float64(a.refused), "dishonest": float64(a.dishonest.N()), "came_back": float64(a.followed),
		"longest_advice_ms": Milliseconds(a.longest), "compared_with_replica": float64(a.compared)}
	switch {
	case a.dishonest.N() > 0:
		return Failf(figures, a.dishonest.Requests(), "%d refusals did not tell when to come back: %s", a.dishonest.N(), &a.dishonest), nil
	case a.refused == 0:
		return Passf(figures, "no request was refused"), nil
	case unstated != nil:
		return Verdict{Figures: figures}, unstated
	}
	return Passf(figures, "%d refusals told when to come back, within %.0f ms at most; %d were compared with what their replica did next, and %d who followed the advice were not refused again",
		a.refused, Milliseconds(a.longest), a.compared, a.followed), nil
}

// question is what a client asks a replica again: the same key, of the same holder.
type question struct {
	holder
	key, replica string
}

// advice gathers what refusals advised, and what became of it.
type advice struct {
	run *Run
	Insight
	stated                      bool // the plan says how long an advice may be
	most, longest               time.Duration
	replicas                    []string // by the places of requests; nil if nobody knows any
	work                        []Work   // by its beginning
	excused                     []evidence.Span
	last                        map[question]*evidence.Request // the latest refusal
	refused, followed, compared int
	dishonest                   Findings
}

// excuse gathers the times that excuse refusals.
func (a *advice) excuse() (err error) {
	if a.Work != nil {
		if err := NeedClocks(a.run.Run); err != nil {
			return err
		}
	}
	if a.Unforeseen != nil {
		if a.excused, err = a.Unforeseen(a.run); err != nil {
			return err
		}
	}
	for _, in := range evidence.Injections.Each(a.run.Run) {
		if a.Shows == nil || !a.Shows(*in) {
			a.excused = append(a.excused, in.Felt(a.most))
		}
	}
	a.excused = evidence.Merge(a.excused)
	return nil
}

// look gathers what replicas did, and for which requests.
func (a *advice) look() {
	if a.Replicas != nil {
		a.replicas = a.Replicas(a.run)
	}
	if a.Work != nil {
		a.work = a.Work(a.run)
		slices.SortFunc(a.work, func(v, w Work) int { return cmp.Compare(v.From, w.From) })
	}
	for _, w := range a.work {
		a.most = max(a.most, w.Asked)
	}
}

// judge looks at the advice itself.
func (a *advice) judge(place int, q *evidence.Request) {
	a.refused++
	a.longest = max(a.longest, q.RetryAfter)
	switch {
	case q.RetryAfter < soonest:
		a.dishonest.Add("advised less than a second", q.Seq)
	case a.stated && q.RetryAfter > a.most:
		a.dishonest.Add(fmt.Sprintf("advised more than %s", a.most), q.Seq)
	}
	if q.Key != "" { // else nobody knows which request is the same one again
		a.last[question{holderOf(q), q.Key, a.replica(place)}] = q
	}
}

// replica is that of a request; empty if nobody knows.
func (a *advice) replica(place int) string {
	if a.replicas == nil {
		return ""
	}
	return a.replicas[place]
}

// follow looks at a request that may follow an earlier advice.
func (a *advice) follow(place int, q *evidence.Request) {
	same := question{holderOf(q), q.Key, a.replica(place)}
	before, refused := a.last[same]
	if !refused || q.Sent < before.End+before.RetryAfter || a.replicas != nil && same.replica == "" {
		return
	}
	switch meanwhile := (evidence.Span{From: before.Sent, To: q.End}); {
	case q.Outcome != evidence.Refused:
		a.followed++
		delete(a.last, same)
	case q.Status == before.Status && !meanwhile.MeetsAny(a.excused) && !a.failed(same.replica, before.Sent-a.most, q.End):
		a.dishonest.Add("were repeated to a client that had followed the advice", before.Seq)
	}
}

// failed reports whether work of the replica failed in that time.
func (a *advice) failed(replica string, from, to time.Duration) bool {
	return slices.ContainsFunc(a.work, func(w Work) bool {
		return w.Failed && w.Replica == replica && w.Meets(evidence.Span{From: from, To: to})
	})
}

// SawRefusals is a guard: that many requests of the load were refused at least. It fails nothing: what nobody was told cannot be wrong.
func SawRefusals(least int) Check {
	return New("SawRefusals", func(r *Run) (Verdict, error) {
		n := 0
		for _, q := range evidence.Requests.Each(r.Run) {
			if q.Outcome == evidence.Refused {
				n++
			}
		}
		figures := map[string]float64{"refused": float64(n), "wanted": float64(least)}
		if n < least {
			return Unknownf(figures, "%d requests were refused; %d are wanted", n, least), nil
		}
		return Passf(figures, "%d requests were refused", n), nil
	})
}
