package check_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// On a starved machine only a Fail that nothing of it explains is one.
func TestStarved(t *testing.T) {
	late := func(by time.Duration) func(*history) {
		return requests(func(q *evidence.Request) { q.Sent, q.End = q.Sent+by, q.End+by })
	}
	dropped := between(30, 30.1, quick, failed)
	panicked := func(h *history) {
		h.defects = []evidence.LogDefect{{Node: "service-1", Line: 7, What: evidence.LogPanic, Text: "panic: oops"}}
	}
	const ms = time.Millisecond
	comesToRest := func(h *history) { // after the load, until 60 s
		h.windows = append(h.windows, evidence.Window{Name: evidence.PhaseCollect, From: seconds(60), To: seconds(61)})
	}
	// beside is others that take a share of two processors that have nothing to spare; on time, the load generator is not late by it.
	beside := func(share float64) func(*history) {
		return both(dropped, starvedFrom(12, 32), crowdedFrom(12, 32, share))
	}
	for _, c := range []struct {
		name   string
		check  check.Check
		alter  func(*history)
		want   check.Status
		reason string
	}{
		{"nothing dropped", check.NothingDropped(), both(starvedFrom(12, 32), late(6*ms)), check.Pass, ""},
		{"dropped, on a machine that is not starved", check.NothingDropped(), dropped, check.Fail, ""},
		{"dropped, on a starved machine", check.NothingDropped(), both(dropped, starvedFrom(12, 32), late(6*ms)), check.Unknown, "the machine had too little CPU time for 20.0 s"},
		{"dropped, starved to the end", check.NothingDropped(), both(dropped, saw(30, evidence.SourcePressure, evidence.SourceMachine, evidence.SawStarved), late(6*ms)), check.Unknown, ""},
		{"dropped, starved for a moment", check.NothingDropped(), both(dropped, starvedFrom(12, 16.9), late(6*ms)), check.Fail, ""},
		{"dropped, starved before the load", check.NothingDropped(), both(dropped, starvedFrom(2, 9.9), late(6*ms)), check.Fail, ""},
		{"dropped, starved once the load was over", check.NothingDropped(), both(dropped, comesToRest, starvedFrom(40, 50), late(6*ms)), check.Fail, ""},
		{"dropped, and the load generator was not late", check.NothingDropped(), both(dropped, starvedFrom(12, 32), late(4*ms)), check.Fail, ""},
		{"dropped, and only the load generator was late", check.NothingDropped(), both(dropped, late(6*ms)), check.Fail, ""},
		{"panicked on a starved machine", check.NoPanics(), both(panicked, starvedFrom(12, 32), late(6*ms)), check.Fail, ""},

		{"dropped, while others took most of it", check.NothingDropped(), beside(0.6), check.Unknown, "other programs used 60 % of this machine's CPU time for 20.0 s, which may be why: 1 of"},
		{"dropped, while others took most of it and nobody waited", check.NothingDropped(), both(dropped, crowdedFrom(12, 32, 0.6)), check.Fail, ""},
		{"dropped, while others took most of it and somebody waited for a moment", check.NothingDropped(), both(dropped, starvedFrom(12, 13.9), crowdedFrom(12, 32, 0.6)), check.Fail, ""},
		{"dropped, while others took most of it for a moment", check.NothingDropped(), both(dropped, starvedFrom(12, 32), crowdedFrom(12, 13.9, 0.6)), check.Fail, ""},
		{"dropped, while others took most of it for some time", check.NothingDropped(), both(dropped, starvedFrom(12, 15), crowdedFrom(12, 15, 0.6)), check.Unknown, "60 % of this machine's CPU time for 3.0 s"},
		{"dropped, while others seemed to be gone", check.NothingDropped(), both(dropped, starvedFrom(12, 32), crowdedFrom(12, 13, 0.6), crowdedFrom(13, 15.5, 0), crowdedFrom(15.5, 16.5, 0.6)),
			check.Unknown, "60 % of this machine's CPU time for 4.5 s"},
		{"dropped, while others took a tick now and then", check.NothingDropped(), both(dropped, starvedFrom(12, 32), crowdedFrom(12, 12.4, 0.6), crowdedFrom(14.5, 14.9, 0.6), crowdedFrom(17, 17.4, 0.6)), check.Fail, ""},
		{"dropped, while others were gone", check.NothingDropped(), both(dropped, starvedFrom(12, 32), crowdedFrom(12, 13, 0.6), crowdedFrom(13, 16.5, 0), crowdedFrom(16.5, 17.4, 0.6)), check.Fail, ""},
		{"dropped, while others took most of it, first of all", check.NothingDropped(), both(dropped, starvedFrom(2, 11.9), crowdedFrom(2, 11.9, 0.6)), check.Fail, ""},
		{"dropped, while others took most of it once the load was over", check.NothingDropped(), both(dropped, comesToRest, starvedFrom(41, 50), crowdedFrom(41, 50, 0.6)), check.Fail, ""},
		{"dropped, while others took most of it to the end of the load", check.NothingDropped(), both(dropped, comesToRest, starvedFrom(37, 50), crowdedFrom(37, 50, 0.6)),
			check.Unknown, "60 % of this machine's CPU time for 3.0 s"},
		{"dropped, by a service that wastes CPU time", check.NothingDropped(), beside(0.1), check.Fail, ""},
		{"dropped, and all of it was used for the run", check.NothingDropped(), beside(-0.1), check.Fail, ""},
		{"panicked while others took most of it", check.NoPanics(), both(panicked, beside(0.6)), check.Fail, ""},
		{"nothing dropped while others took most of it", check.NothingDropped(), both(starvedFrom(12, 32), crowdedFrom(12, 32, 0.6)), check.Pass, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := outage()
			h.plan.Load = []evidence.Stage{{Name: "steady", Requests: uint64(len(h.requests))}}
			h.windows = []evidence.Window{{Name: evidence.PhaseLoad, From: seconds(10), To: seconds(40)}}
			c.alter(h)
			v := c.check.Judge(h.run())
			if v.Status != c.want || !strings.Contains(v.Reason, c.reason) {
				t.Errorf("%s: %s", v.Status, v.Reason)
			}
			if v.Status == check.Unknown && (len(v.Requests) != 1 || len(v.Headlines) != 1) {
				t.Errorf("what was found is lost: %+v", v)
			}
		})
	}
}
