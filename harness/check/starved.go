package check

import (
	"fmt"
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// A run is starved if the kernel saw tasks wait for a processor nearly all the time, under load. That must last longer than mostStarved, and
// the load generator must be late by more than starvedLag in one of a hundred requests. Or it lasts longer than mostCrowded while others
// take much of the CPU time. What comes after the load does not count: the session sets up its next run then.
//
// The kernel's account of waiting tasks alone proves little: a service in a herd takes all there is for some 3 s, and one that wastes CPU
// time for ever. Seen on two cores: lags of 1 to 2 ms when all is well, also under load, and of 16 to 4,000 ms when stores took seconds to
// answer. But a load generator that may go before all others is on time also where others keep the service waiting. Beside two busy loops
// its lag was 4 ms, and the machine was starved in 3 s of 24. In the other 21 s requests took no longer than without the loops. Under
// 200 requests/s they did, the p90 of quick ones 24 ms in place of 11, which no claim is as tight as. So others excuse nothing while no
// task waits.
const (
	mostStarved = 5 * time.Second
	mostCrowded = 2 * time.Second
	starvedLag  = 5 * time.Millisecond
)

// Timeless marks a check whose Fail no want of CPU time explains: what it finds is wrong whenever it happens. On a starved machine
// every other Fail proves nothing, since whatever is late, refused or not there yet may be the machine's doing: stores that answer
// too late for any client's patience are as good as away, all at once.
func (c Check) Timeless() Check {
	c.timeless = true
	return c
}

// starved is how the machine was starved of CPU time under load.
type starved struct {
	lasted time.Duration
	late   bool  // the load generator was late in the run
	crowd  crowd // the part of it in which others took much
}

func newStarved(run *evidence.Run) (s starved) {
	load, ok := run.Window(evidence.PhaseLoad)
	if !ok {
		return s
	}
	others := evidence.Derive(run, newCrowd)
	for _, span := range spansOf(run, evidence.SourcePressure, evidence.SawStarved) {
		s.lasted += span.Overlap(load.Span())
		s.crowd = append(s.crowd, others.within(span)...)
	}
	s.late = evidence.Derive(run, newLags).p99 > starvedLag
	return s
}

// excuse is why failures cannot be told from the service's, or empty.
func (s starved) excuse() string {
	switch {
	case s.crowd.lasted() > mostCrowded:
		return s.crowd.String()
	case s.lasted > mostStarved && s.late:
		return fmt.Sprintf("the machine had too little CPU time for %.1f s", s.lasted.Seconds())
	}
	return ""
}

// doubt turns a Fail that rests on times into Unknown if the machine was starved. What was found is kept, for people to look at.
func (c Check) doubt(r *Run, v Verdict) Verdict {
	if v.Status != Fail || c.timeless {
		return v
	}
	if excuse := evidence.Derive(r.Run, newStarved).excuse(); excuse != "" {
		v.Status, v.Reason = Unknown, fmt.Sprintf("%s, which may be why: %s", excuse, v.Reason)
	}
	return v
}

// hindrances are the times in which the machine kept everything waiting: a hypervisor took its time, or it was starved, and the load
// generator was late then as well, or others took much of its CPU time.
type hindrances struct {
	spans []evidence.Span // ascending
	crowd crowd           // those in which others did
}

func newHindrances(run *evidence.Run) (h hindrances) {
	all, requests := spansOf(run, evidence.SourceMachine, evidence.SawStolen), evidence.Requests.Of(run)
	late := func(q evidence.Request) bool { return q.Outcome != evidence.Unsent && q.Sent-q.Due > starvedLag }
	others := evidence.Derive(run, newCrowd)
	for _, span := range spansOf(run, evidence.SourcePressure, evidence.SawStarved) {
		if slices.ContainsFunc(requests[firstDue(requests, span.From):firstDue(requests, span.To)], late) {
			all = append(all, span)
		}
		h.crowd = append(h.crowd, others.within(span)...)
	}
	for _, one := range h.crowd {
		all = append(all, one.Span)
	}
	h.spans = evidence.Merge(all)
	return h
}

// during is how much of the request's time they took.
func (h hindrances) during(q *evidence.Request) (sum time.Duration) {
	for _, span := range h.spans {
		sum += span.Overlap(evidence.Span{From: q.Due, To: q.End})
	}
	return sum
}

// String says what the machine lacked, in words.
func (h hindrances) String() string {
	const lack = "the machine had too little CPU time"
	if len(h.crowd) == 0 {
		return lack
	}
	return fmt.Sprintf("%s: %s", lack, h.crowd)
}
