package reports

import (
	"cmp"
	"fmt"
	"slices"
	"time"

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
	Source string // whose record it is
	Text   string
	Absent bool // the source holds nothing about the request, which often is the finding
}

// examples makes the examples of a page.
type examples struct {
	run   *evidence.Run
	zero  time.Duration // start of the load
	trail Trail
}

func shown(requests []uint64) []uint64 { return requests[:min(len(requests), maxExamples)] }

func (e examples) of(requests []uint64) (all []example) {
	for _, seq := range shown(requests) {
		all = append(all, e.one(seq))
	}
	return all
}

func (e examples) one(seq uint64) example {
	requests := evidence.Requests.Of(e.run)
	i, found := slices.BinarySearchFunc(requests, seq, func(q evidence.Request, seq uint64) int { return cmp.Compare(q.Seq, seq) })
	if !found {
		return example{Seq: seq, Title: "no record of this request", Records: []record{absent("client")}}
	}
	q := &requests[i]
	x := example{Seq: seq, Title: outcomeText(q) + " at " + e.at(q.Due), Records: []record{{Source: "client", Text: e.client(q)}}}
	if e.trail != nil {
		x.Records = append(x.Records, e.records(e.trail(e.run, q))...)
	}
	return x
}

// records leaves out those of a source that has very many.
func (e examples) records(lines []Line) (all []record) {
	var sources []string
	bySource := map[string][]record{}
	for _, l := range lines {
		if bySource[l.Source] == nil {
			sources = append(sources, l.Source)
		}
		bySource[l.Source] = append(bySource[l.Source], e.record(l))
	}
	for _, source := range sources {
		found := bySource[source]
		all = append(all, found[:min(len(found), maxRecords)]...)
		if more := len(found) - maxRecords; more > 0 {
			all = append(all, record{Source: source, Text: fmt.Sprintf("and %d more", more)})
		}
	}
	return all
}

func (e examples) record(l Line) record {
	switch {
	case l.Text == "":
		return absent(l.Source)
	case l.At == 0:
		return record{Source: l.Source, Text: l.Text}
	}
	return record{Source: l.Source, Text: "at " + e.at(l.At) + ": " + l.Text}
}

func absent(source string) record { return record{source, "no record", true} }

func outcomeText(q *evidence.Request) string {
	text := string(q.Outcome)
	if q.Reason != "" {
		text += " (" + q.Reason + ")"
	}
	return text
}

// at is a moment in seconds from the start of the load.
func (e examples) at(offset time.Duration) string { return since(offset, e.zero) }

// client is what the client says of its request.
func (e examples) client(q *evidence.Request) string {
	text := fmt.Sprintf("%s, id %s, stage %s", outcomeText(q), q.ID, q.Stage)
	for _, of := range []struct{ what, name string }{{"class", q.Class}, {"user", q.User}} {
		if of.name != "" {
			text += ", " + of.what + " " + of.name
		}
	}
	text += ", due " + e.at(q.Due)
	if q.Outcome != evidence.Unsent {
		text += fmt.Sprintf(", sent %s later, ended %s after due, status %d, connections %d", duration(q.Sent-q.Due),
			duration(q.End-q.Due), q.Status, q.Conns)
	}
	if q.RetryAfter > 0 {
		text += ", retry after " + duration(q.RetryAfter)
	}
	if q.Key != "" {
		text += ", key " + q.Key
	}
	return text
}
