package check_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// refuse refuses a request, with that advice.
func refuse(q *evidence.Request, advice time.Duration) {
	refused(q)
	q.RetryAfter, q.End = advice, q.Sent+5*time.Millisecond
}

// backAfter refuses the first request with an advice of one second, and lets its client come again that long after it.
func (h *history) backAfter(d time.Duration) *evidence.Request {
	refuse(&h.requests[0], time.Second)
	again := &h.requests[3] // the same key
	takes := again.End - again.Due
	again.Due = h.requests[0].End + d
	again.Sent, again.End = again.Due, again.Due+takes
	return again
}

// Observations by which histories tell what replicas did: their node is the replica, their detail how long it took.
const (
	didWork    = "work"
	workDone   = "done"
	workFailed = "failed"
)

// stageIsReplica takes the name of a request's stage for that of its replica.
func stageIsReplica(r *check.Run) (of []string) {
	for _, q := range evidence.Requests.Each(r.Run) {
		of = append(of, q.Stage)
	}
	return of
}

func workSeen(r *check.Run) (all []check.Work) {
	for _, o := range evidence.Observations.Each(r.Run) {
		if took, err := time.ParseDuration(o.Detail); err == nil && o.Source == didWork {
			w := check.Work{Replica: o.Node, For: evidence.None, Span: evidence.Span{From: o.At, To: o.At + took}, Failed: o.What == workFailed}
			for i, q := range evidence.Requests.Each(r.Run) {
				if q.Sent == o.At && q.Stage == o.Node {
					w.For = int32(i)
				}
			}
			all = append(all, w)
		}
	}
	return all
}

// seeing is what is known of the histories below.
func seeing() check.Insight { return check.Insight{Replicas: stageIsReplica, Work: workSeen} }

// door is a load of one request each 100 ms from 10 s to 20 s, of which app-1 answers each with work of its own, but from 12 s to 15 s:
// it has said so, to the second, whenever it refused one.
func door() *history {
	h := &history{plan: evidence.Plan{Params: map[string]time.Duration{evidence.ParamRetryAfter: 5 * time.Second}}, clocks: agreeing(seconds(20))}
	for at := seconds(10); at < seconds(20); at += 100 * time.Millisecond {
		i := uint64(len(h.requests))
		h.requests = append(h.requests, evidence.Request{Seq: i, Stage: "app-1", User: "ann", Class: slow, Due: at, Sent: at, End: at + 5*time.Millisecond, Status: 200, Outcome: evidence.OK})
		if until := seconds(15) - at; at >= seconds(12) && until > 0 {
			refuse(&h.requests[i], (until + time.Second - 1).Truncate(time.Second))
		} else {
			h.worked("app-1", workDone, at, 4*time.Millisecond)
		}
	}
	return h
}

func (h *history) worked(replica, how string, at, took time.Duration) {
	h.saw(at, didWork, replica, how)
	h.observations[len(h.observations)-1].Detail = took.String()
}

// advising has every refusal give the same advice.
func advising(d time.Duration) func(*history) {
	return requests(func(q *evidence.Request) {
		if q.Outcome == evidence.Refused {
			q.RetryAfter = d
		}
	})
}

// sentIn alters the requests that are sent in a stretch of the run, in seconds.
func sentIn(from, to float64, alter func(*evidence.Request)) func(*history) {
	return requests(func(q *evidence.Request) {
		if seconds(from) <= q.Sent && q.Sent < seconds(to) {
			alter(q)
		}
	})
}

// limit is a load of one request of ann's each 50 ms from 10 s to 20 s, by turns of app-1 and app-2. Every tenth, by turns of both, is
// let through, and the others are refused with 429 and the advice to come again after a second.
func limit() *history {
	h := &history{plan: evidence.Plan{Params: map[string]time.Duration{evidence.ParamRetryAfter: 5 * time.Second}}, clocks: agreeing(seconds(20))}
	for i := range uint64(200) {
		at := seconds(10) + time.Duration(i)*50*time.Millisecond
		q := evidence.Request{Seq: i, Stage: node(1 + int(i%2)), User: "ann", Due: at, Sent: at, End: at + 5*time.Millisecond, Status: 200, Outcome: evidence.OK}
		if i%10 != i/10%2 {
			refuse(&q, time.Second)
			q.Status = 429
		}
		h.requests = append(h.requests, q)
	}
	return h
}

// refusalCase alters a door or a limit, and says what is made of its advice.
type refusalCase struct {
	name   string
	base   func() *history
	seen   check.Insight
	alter  func(*history)
	want   check.Status
	reason string
}

func (c refusalCase) run() *check.Run {
	h := c.base()
	c.alter(h)
	return h.run()
}

// refusalCases compare advice with what the replica did next.
func refusalCases() []refusalCase {
	const early = "refused again after the advised time"
	broken := func(h *history) {
		h.injections = []evidence.Injection{{Fault: "break store-1", Target: "store-1", Ordered: seconds(9), Healing: seconds(10)}}
	}
	shows, foresees, cannotTell, classless := seeing(), seeing(), seeing(), check.Insight{Work: workSeen}
	shows.Shows = func(in evidence.Injection) bool { return in.Target == "store-1" }
	foresees.Unforeseen = func(*check.Run) ([]evidence.Span, error) {
		return []evidence.Span{{From: seconds(12), To: seconds(15)}}, nil
	}
	cannotTell.Unforeseen = func(*check.Run) ([]evidence.Span, error) { return nil, errors.New("nobody looked") }
	// The replica is one that nobody knows.
	unknown := requests(func(q *evidence.Request) { q.Stage = "" })
	elsewhere := func(h *history) {
		for i := range h.observations {
			h.observations[i].Node = "app-2"
		}
	}
	work := func(replica, how string, at float64) func(*history) {
		return func(h *history) { h.worked(replica, how, seconds(at), 10*time.Millisecond) }
	}
	asked := func(h *history) {
		for i := range h.requests {
			h.requests[i].Key = fmt.Sprint("key-", i%20) // again after 2 s
		}
	}
	none := sentIn(11, 20, func(q *evidence.Request) { q.Outcome, q.Status, q.RetryAfter = evidence.Refused, 429, time.Second })
	only := func(replica string) func(*history) {
		return requests(func(q *evidence.Request) {
			if q.Outcome == evidence.OK && q.Stage != replica {
				q.Outcome, q.Status, q.RetryAfter = evidence.Refused, 429, time.Second
			}
		})
	}
	return []refusalCase{
		{"to the second", door, seeing(), unchanged, check.Pass, "30 refusals told when to come back, within 3000 ms at most; 10 were compared"},
		{"always the whole time", door, seeing(), advising(5 * time.Second), check.Fail, "let others through long before"},
		{"always a second", door, seeing(), advising(time.Second), check.Fail, early},
		{"a second too early", door, seeing(), requests(func(q *evidence.Request) { q.RetryAfter = max(0, q.RetryAfter-time.Second) }), check.Fail, "less than a second"},
		{"always a second, while a store is felt", door, seeing(), both(advising(time.Second), broken), check.Pass, ""},
		{"always the whole time, while a store is felt", door, seeing(), both(advising(5*time.Second), broken), check.Pass, ""},
		{"always a second, and work shows what the fault did", door, shows, both(advising(time.Second), broken), check.Fail, early},
		{"always a second, when nobody could know better", door, foresees, advising(time.Second), check.Pass, ""},
		{"always a second, by replicas that nobody knows", door, seeing(), both(advising(time.Second), unknown), check.Pass, "0 were compared"},
		{"always a second, and nobody knows any replica", door, classless, advising(time.Second), check.Pass, "0 were compared"},
		{"always a second, with work in between", door, seeing(), both(advising(time.Second), work("app-1", workFailed, 13), work("app-1", workFailed, 14.2)), check.Pass, ""},
		{"always a second, with work of another", door, seeing(), both(advising(time.Second), work("app-2", workDone, 13), work("app-2", workDone, 14.2)), check.Fail, early},
		{"always a second, with answers in between", door, seeing(), both(advising(time.Second), sentIn(13, 13.1, answered), sentIn(14.2, 14.3, answered)), check.Pass, ""},
		{"always a second, with other answers in between", door, seeing(), both(advising(time.Second), sentIn(13, 13.1, answered), sentIn(14.2, 14.3, answered),
			requests(func(q *evidence.Request) {
				if q.Outcome == evidence.OK {
					q.Class = quick
				}
			})), check.Fail, early},
		{"always the whole time, and another works", door, seeing(), both(advising(5*time.Second), elsewhere), check.Pass, ""},
		{"came back to another replica", door, seeing(), both(asked, sentIn(12, 13, func(q *evidence.Request) { q.Stage, q.RetryAfter = "app-2", time.Second })), check.Pass, ""},
		{"came back to the same", door, seeing(), both(asked, sentIn(12, 13, func(q *evidence.Request) { q.RetryAfter = time.Second })), check.Fail, "to a client that had followed"},
		{"nobody looked for what is not foreseen", door, cannotTell, unchanged, check.Unknown, "nobody looked"},
		{"clocks were never compared", door, seeing(), clocksUnknown, check.Unknown, "nobody compared the clocks"},
		{"classes unknown", door, seeing(), classesUnknown, check.Unknown, "nobody knows the classes"},
		{"a limit", limit, seeing(), unchanged, check.Pass, "180 refusals"},
		{"a limit that lets nobody through", limit, seeing(), none, check.Fail, early},
		{"a limit that lets another user through", limit, seeing(), requests(func(q *evidence.Request) {
			if q.Outcome == evidence.OK {
				q.User = "bob"
			}
		}), check.Fail, early},
		{"a limit that lets another credential through", limit, seeing(), requests(func(q *evidence.Request) {
			if q.Outcome == evidence.OK {
				q.Credential = "the second"
			}
		}), check.Fail, early},
		{"a limit that another replica's requests use up", limit, seeing(), only("app-2"), check.Pass, ""},
		{"too long for a limit", limit, seeing(), advising(4 * time.Second), check.Fail, "let others through long before"},
		{"too long for a limit, if it were the other replica's", limit, seeing(), both(only("app-2"), advising(4*time.Second), requests(func(q *evidence.Request) {
			if q.Outcome == evidence.Refused && q.Stage == "app-2" {
				q.RetryAfter = time.Second
			}
		})), check.Pass, ""},
	}
}

// retryAfterCases are about what refusals promise.
func retryAfterCases() []verdictCase {
	const second, pause = time.Second, evidence.FaultPause
	honest := check.RetryAfterHonest(check.Insight{})
	advised := func(advice time.Duration) func(*history) {
		return func(h *history) { refuse(&h.requests[2], advice) }
	}
	inVain := func(h *history) { refuse(h.backAfter(second), second) }
	before := func(d time.Duration) func(*history) {
		return func(h *history) { h.injections[0].Ordered, h.injections[0].Healing = loadFrom-d, loadFrom-d }
	}
	return []verdictCase{
		{"in vain, but no key says that it is the same request", honest, "", func(h *history) {
			inVain(h)
			advised(second)(h)
			for i := range h.requests {
				h.requests[i].Key = ""
			}
		}, check.Pass, ""},
		{"advised one second", honest, "", advised(second), check.Pass, "1 refusals"},
		{"advised the most", honest, "", advised(5 * second), check.Pass, "within 5000 ms"},
		{"advised to come at once", honest, "", advised(0), check.Fail, "1 advised less than a second"},
		{"advised too much", honest, "", advised(6 * second), check.Fail, "1 advised more than 5s"},
		{"came back and was answered", honest, "", func(h *history) { h.backAfter(second) }, check.Pass, "1 who followed the advice"},
		{"came back in vain", honest, "", inVain, check.Fail, "1 were repeated to a client that had followed the advice"},
		{"another user came in vain", honest, "", both(inVain, func(h *history) { h.requests[3].User = "bob" }), check.Pass, "0 who followed"},
		{"came back too early", honest, "", func(h *history) { refuse(h.backAfter(second-1), second) }, check.Pass, "0 who followed"},
		{"came back, refused for another reason", honest, "", both(inVain, func(h *history) { h.requests[3].Status = 429 }), check.Pass, ""},
		{"came back in vain during a fault", honest, pause, both(inVain, before(4*second)), check.Pass, ""},
		{"came back in vain long after a fault", honest, pause, both(inVain, before(6*second)), check.Fail, "were repeated"},
		{"refusals seen", check.SawRefusals(1), "", advised(second), check.Pass, "1 requests were refused"},
		{"too few refusals", check.SawRefusals(2), "", advised(second), check.Unknown, "1 requests were refused; 2 are wanted"},
		{"nobody refused", honest, "", unchanged, check.Pass, "no request was refused"},
		{"no bound", honest, "", both(advised(second), drop(evidence.ParamRetryAfter)), check.Unknown, "retry_after"},
		{"no bound, yet at once", honest, "", both(advised(0), drop(evidence.ParamRetryAfter)), check.Fail, "less than a second"},
	}
}
