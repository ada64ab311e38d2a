package reports

import (
	"fmt"
	"iter"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

const (
	maxExamples = 10 // counter-examples shown per verdict; more of them teach nothing new
	maxRecords  = 6  // records shown per source and counter-example
)

// example is one request that a verdict rests on, and what every record says about it.
type example struct {
	Seq     uint64
	Title   string
	Records []record
}

// record is one line of evidence about a request.
type record struct {
	Source string // which evidence it is from
	Text   string
	Absent bool // the source holds nothing about the request, which often is the finding
}

// trail holds the records of the few requests that the page shows, found in one pass over each kind.
type trail struct {
	zero     time.Duration
	calls    map[uint64]evidence.Call
	hops     map[string][]evidence.Hop
	upstream map[string][]evidence.Upstream // by key
	rows     map[string][]evidence.Row
}

func newTrail(run *evidence.Run, j check.Judgement) *trail {
	t := &trail{zero: loadStart(run), calls: map[uint64]evidence.Call{}}
	wanted := map[uint64]bool{}
	for _, group := range [][]check.Verdict{j.Checks, j.Assumptions, j.Sometimes} {
		for _, v := range group {
			for _, seq := range shown(v.Calls) {
				wanted[seq] = true
			}
		}
	}
	ids, keys := map[string]bool{}, map[string]bool{}
	for c := range run.Calls() {
		if wanted[c.Seq] {
			t.calls[c.Seq] = c
			ids[c.ID], keys[c.Key] = true, true
		}
	}
	t.hops = pick(run.Hops(), ids, func(h evidence.Hop) string { return h.RequestID })
	t.rows = pick(run.Rows(), ids, func(r evidence.Row) string { return r.RequestID })
	t.upstream = pick(run.Upstream(), keys, func(u evidence.Upstream) string { return u.Key })
	return t
}

func pick[T any](all iter.Seq[T], wanted map[string]bool, by func(T) string) map[string][]T {
	found := map[string][]T{}
	for v := range all {
		if k := by(v); wanted[k] {
			found[k] = append(found[k], v)
		}
	}
	return found
}

func shown(calls []uint64) []uint64 { return calls[:min(len(calls), maxExamples)] }

func (t *trail) examples(calls []uint64) []example {
	var all []example
	for _, seq := range shown(calls) {
		c, ok := t.calls[seq]
		if !ok {
			all = append(all, example{Seq: seq, Title: "no record of this request",
				Records: []record{{"client", "no record", true}}})
			continue
		}
		all = append(all, t.example(c))
	}
	return all
}

func (t *trail) example(c evidence.Call) example {
	e := example{Seq: c.Seq, Title: fmt.Sprintf("%s at %s", outcomeText(c), t.at(c.Due))}
	e.Records = append(e.Records, record{Source: "client", Text: t.call(c)})
	e.Records = append(e.Records, records("load balancer", t.hops[c.ID], t.hop)...)
	e.Records = append(e.Records, records("LLM, same key", t.upstream[c.Key], func(u evidence.Upstream) string {
		return t.llm(u, c)
	})...)
	e.Records = append(e.Records, records("service ledger", t.rows[c.ID], t.row)...)
	return e
}

func records[T any](source string, found []T, text func(T) string) []record {
	if len(found) == 0 {
		return []record{{source, "no record", true}}
	}
	var all []record
	for _, v := range found[:min(len(found), maxRecords)] {
		all = append(all, record{Source: source, Text: text(v)})
	}
	if more := len(found) - maxRecords; more > 0 {
		all = append(all, record{Source: source, Text: fmt.Sprintf("and %d more", more)})
	}
	return all
}

func outcomeText(c evidence.Call) string {
	text := string(c.Outcome)
	if c.Reason != "" {
		text += " (" + c.Reason + ")"
	}
	return text
}

// at is a moment in seconds from the start of the load.
func (t *trail) at(offset time.Duration) string {
	return fmt.Sprintf("%.3f s", (offset - t.zero).Seconds())
}

func (t *trail) call(c evidence.Call) string {
	text := fmt.Sprintf("%s, id %s, stage %s, tenant %s, due %s", outcomeText(c), c.ID, c.Stage, c.Tenant, t.at(c.Due))
	if c.Outcome == evidence.Unsent {
		return text
	}
	text += fmt.Sprintf(", sent %s later, ended %s after due, status %d, connections %d", duration(c.Sent-c.Due),
		duration(latency(c)), c.Status, c.Conns)
	if c.RetryAfter > 0 {
		text += ", retry after " + duration(c.RetryAfter)
	}
	if a := c.Answer; a != (evidence.Answer{}) {
		text += fmt.Sprintf("; answer from call %s for tenant %s, source %s", a.CallID, a.Tenant, a.Source)
		if a.Key != c.Key {
			text += ", for another key: " + a.Key
		}
	}
	return text + ", key " + c.Key
}

func (t *trail) hop(h evidence.Hop) string {
	text := fmt.Sprintf("%s, received %s, took %s, status %d, retries %d, termination %s", h.Server, t.at(h.At),
		duration(h.End-h.At), h.Status, h.Retries, h.Termination)
	if h.Redispatched {
		text += ", redispatched"
	}
	return text
}

func (t *trail) llm(u evidence.Upstream, c evidence.Call) string {
	text := fmt.Sprintf("call %s (number %d of its key) from %s, arrived %s, %s", u.ID, u.N, u.Caller, t.at(u.Arrived), u.Outcome)
	if u.Ended != 0 {
		text += " after " + duration(u.Ended-u.Arrived)
	}
	text += ", " + money(float64(u.Cost)/1e9)
	if !u.Billed {
		text += " not billed"
	}
	if u.RequestID == c.ID {
		text += "; made by this request"
	}
	if u.ID == c.Answer.CallID {
		text += "; answered this request"
	}
	return text
}

func (t *trail) row(r evidence.Row) string {
	return fmt.Sprintf("%s, call %s, %s, at %s, from %s, tenant %s, id %s", r.Kind, r.CallID, money(float64(r.Cost)/1e9), t.at(r.At),
		r.Replica, r.Tenant, r.ID)
}
