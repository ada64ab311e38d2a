package check

import (
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Timing is what most checks ask of a request. It is a fifth of the record: a million records do not fit into the cache of the
// CPU, so that walking through them means waiting for the memory most of the time.
type Timing struct {
	Seq            uint64
	Due, Sent, End time.Duration
	Outcome        evidence.Outcome
}

// timings are those of all requests.
type timings []Timing

// Timings returns what most checks ask of the requests, by their places in evidence.Requests.
func Timings(run *evidence.Run) []Timing { return evidence.Derive(run, newTimings) }

func newTimings(run *evidence.Run) timings {
	requests := evidence.Requests.Of(run)
	all := make(timings, len(requests))
	for i := range requests {
		r := &requests[i]
		all[i] = Timing{r.Seq, r.Due, r.Sent, r.End, r.Outcome}
	}
	return all
}

// Latency counts from the moment at which the request was due, so that a late load generator hides nothing: it is free of
// coordinated omission.
func (t *Timing) Latency() time.Duration { return t.End - t.Due }

// Service is the part of the latency that the load generator has no part in.
func (t *Timing) Service() time.Duration { return t.End - t.Sent }

// Waited reports whether somebody sent the request and waited for its answer to the end.
func (t *Timing) Waited() bool {
	return t.Outcome != evidence.Unsent && t.Outcome != evidence.Aborted
}

// LastResponse is the moment at which the last request ended.
func LastResponse(run *evidence.Run) time.Duration {
	return time.Duration(evidence.Derive(run, newLastResponse))
}

type lastResponse time.Duration

func newLastResponse(run *evidence.Run) (last lastResponse) {
	for _, t := range Timings(run) {
		last = max(last, lastResponse(t.End))
	}
	return last
}
