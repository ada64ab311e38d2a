package check

import (
	"iter"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// brief is what most checks ask of a request. It is a fifth of the record: a million records do not fit into the cache of the
// CPU, so that who walks through them waits for the memory most of the time.
type brief struct {
	Seq            uint64
	Due, Sent, End time.Duration
	Outcome        evidence.Outcome
}

// briefs are those of all requests, by their places.
type briefs []brief

func readBriefs(run *evidence.Run) briefs { return evidence.Derive(run, newBriefs) }

func newBriefs(run *evidence.Run) briefs {
	all := make(briefs, 0, count(run.EachCall()))
	for _, c := range run.EachCall() {
		all = append(all, brief{c.Seq, c.Due, c.Sent, c.End, c.Outcome})
	}
	return all
}

// eachBrief is EachCall for who needs no more than the briefs.
func eachBrief(run *evidence.Run) iter.Seq2[int, *brief] {
	all := readBriefs(run)
	return func(yield func(int, *brief) bool) {
		for i := range all {
			if !yield(i, &all[i]) {
				return
			}
		}
	}
}

// latency counts from the moment at which the request was due, so that a late generator hides nothing.
func latency(c *brief) time.Duration { return c.End - c.Due }

// service is the part of the latency that the load generator has no part in.
func service(c *brief) time.Duration { return c.End - c.Sent }

// waited says whether somebody sent the request and waited for its answer to the end.
func waited(c *brief) bool {
	return c.Outcome != evidence.Unsent && c.Outcome != evidence.Aborted
}
