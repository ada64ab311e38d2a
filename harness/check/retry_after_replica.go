package check

import (
	"cmp"
	"net/http"
	"slices"
	"sort"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// alike are requests that a replica lets through or refuses alike: of one user for a limit, of one class otherwise. Replica is empty
// for all replicas together.
type alike struct {
	replica, of string
	limit       bool // refused with 429
}

// followUp is what replicas did after they had refused.
type followUp struct {
	*advice
	classes Classes
	refused map[alike][]int32         // places of requests, by when they were sent
	through map[alike][]evidence.Span // when others were let through: merged, so ascending
	worked  map[string][]evidence.Span
	begun   map[doneFor][]time.Duration // when work began, ascending
	granted map[alike][]evidence.Span   // of a limit: from when a request was sent to when it had been let through at the latest; by the first
}

// compare compares each advice with what the replica that gave it did next.
func (a *advice) compare() error {
	if a.replicas == nil || a.longest == 0 {
		return nil
	}
	classes, err := a.run.Classes()
	if err != nil {
		return err
	}
	f := followUp{advice: a, classes: classes, refused: map[alike][]int32{}, through: map[alike][]evidence.Span{},
		worked: map[string][]evidence.Span{}, begun: map[doneFor][]time.Duration{}, granted: map[alike][]evidence.Span{}}
	f.readRefusals()
	f.readWork()
	f.readOthers()
	requests := evidence.Requests.Of(a.run.Run)
	for i := range requests {
		if q := &requests[i]; q.Outcome == evidence.Refused && a.replica(i) != "" {
			f.judge(f.of(i, q, q.Status == http.StatusTooManyRequests), q, requests)
		}
	}
	return nil
}

func (f *followUp) judge(to alike, q *evidence.Request, requests []evidence.Request) {
	early, told := f.tooEarly(to, q, requests)
	late, knew := f.tooLate(to, q)
	if told || knew {
		f.compared++
	}
	if early {
		f.dishonest.Add("were given by replicas that refused again after the advised time, and had let nobody through since", q.Seq)
	}
	if late {
		f.dishonest.Add("were given by replicas that let others through long before the advised time", q.Seq)
	}
}

// of says what a request is like, for a refusal with 429 or any other.
func (f *followUp) of(place int, q *evidence.Request, limit bool) alike {
	if limit {
		return alike{f.replica(place), holderOf(q).String(), true}
	}
	return alike{f.replica(place), f.classes.Name(place), false}
}

func (f *followUp) readRefusals() {
	requests := evidence.Requests.Of(f.run.Run)
	for i := range requests {
		if q := &requests[i]; q.Outcome == evidence.Refused && f.replica(i) != "" {
			to := f.of(i, q, q.Status == http.StatusTooManyRequests)
			f.refused[to] = append(f.refused[to], int32(i))
		}
	}
	for _, places := range f.refused {
		slices.SortStableFunc(places, func(a, b int32) int { return cmp.Compare(requests[a].Sent, requests[b].Sent) })
	}
}

func (f *followUp) readWork() {
	requests := evidence.Requests.Of(f.run.Run)
	for _, w := range f.work {
		f.worked[w.Replica] = append(f.worked[w.Replica], w.Span)
		of := doneFor{replica: w.Replica, unknown: true}
		if w.For != evidence.None {
			of = doneFor{replica: w.Replica, user: requests[w.For].User}
		}
		f.begun[of] = append(f.begun[of], w.From)
	}
	for replica, spans := range f.worked {
		f.worked[replica] = evidence.Merge(spans)
	}
}

// readOthers notes who was let through, of those who are like somebody who was refused.
func (f *followUp) readOthers() {
	limited := map[string]bool{} // holders
	for to := range f.refused {
		if to.limit {
			limited[to.of] = true
		}
	}
	began := map[int32]time.Duration{} // first work for a request, by its place
	for _, w := range slices.Backward(f.work) {
		began[w.For] = w.From
	}
	for i, q := range evidence.Requests.Each(f.run.Run) {
		s := evidence.Span{From: q.Sent, To: q.End}
		if limited[holderOf(q).String()] && q.Outcome != evidence.Unsent && q.Status != http.StatusTooManyRequests {
			all := alike{"", holderOf(q).String(), true}
			f.through[all] = append(f.through[all], s)
		}
		if q.Outcome != evidence.OK || f.replica(i) == "" {
			continue
		}
		if to := f.of(i, q, false); f.refused[to] != nil {
			f.through[to] = append(f.through[to], s)
		}
		if to := f.of(i, q, true); f.refused[to] != nil {
			if at, known := began[int32(i)]; known {
				s.To = max(s.From, min(s.To, at))
			}
			f.granted[to] = append(f.granted[to], s)
		}
	}
	for to, spans := range f.through {
		f.through[to] = evidence.Merge(spans)
	}
}

// doneFor is whom a replica worked for: a user, or nobody knows whom.
type doneFor struct {
	replica, user string
	unknown       bool
}

// tooEarly reports whether the replica refused the like after the moment that it had advised, although it had let nobody through
// since, and whether anybody can tell.
func (f *followUp) tooEarly(to alike, q *evidence.Request, requests []evidence.Request) (early, known bool) {
	advised := q.End + q.RetryAfter + earlySlack
	places := f.refused[to]
	next := sort.Search(len(places), func(i int) bool { return requests[places[i]].Sent > advised })
	if next == len(places) {
		return false, false
	}
	meanwhile := evidence.Span{From: q.Sent, To: requests[places[next]].End}
	if meets(f.excused, meanwhile) {
		return false, false
	}
	if to.limit {
		return !meets(f.through[alike{"", to.of, true}], meanwhile), true
	}
	onItsWay := evidence.Span{From: meanwhile.From, To: meanwhile.To + workOnItsWay}
	return !meets(f.through[to], meanwhile) && !meets(f.worked[to.replica], onItsWay), true
}

// tooLate reports whether the replica let the like through long before the moment that it had advised, and whether anybody can tell.
func (f *followUp) tooLate(to alike, q *evidence.Request) (late, known bool) {
	since, until := q.End, q.Sent+q.RetryAfter-soonest-lateSlack
	if !to.limit {
		since += workOnItsWay
	}
	if since >= until || meets(f.excused, evidence.Span{From: q.Sent, To: until}) {
		return false, false
	}
	if !to.limit {
		while := evidence.Span{From: since + 1, To: until - 1}
		return f.began(doneFor{replica: to.replica, user: q.User}, while) || f.began(doneFor{replica: to.replica, unknown: true}, while), f.Work != nil
	}
	granted := f.granted[to]
	for i := sort.Search(len(granted), func(i int) bool { return granted[i].From > since }); i < len(granted) && granted[i].From < until; i++ {
		if granted[i].To < until {
			return true, true
		}
	}
	return false, true
}

// began reports whether work for somebody began in that time.
func (f *followUp) began(of doneFor, while evidence.Span) bool {
	begun := f.begun[of]
	next := sort.Search(len(begun), func(i int) bool { return begun[i] >= while.From })
	return next < len(begun) && begun[next] <= while.To
}

// meets reports whether a span has a moment in common with one of others, which ascend and do not meet each other.
func meets(others []evidence.Span, s evidence.Span) bool {
	next := sort.Search(len(others), func(i int) bool { return others[i].To >= s.From })
	return next < len(others) && others[next].From <= s.To
}
