package check_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// windowed is an outage whose load is recorded as a phase.
func windowed() *history {
	h := outage()
	h.windows = []evidence.Window{{Name: evidence.PhaseLoad, From: seconds(10), To: seconds(40)}}
	return h
}

func TestWindows(t *testing.T) {
	const ordered, healed = outageFrom, outageHealed + 0.2
	type ws = []evidence.Window
	window := func(name string, from, to float64) evidence.Window {
		return evidence.Window{Name: name, From: seconds(from), To: seconds(to)}
	}
	before, during := window("before", 10, ordered), window("during", ordered, healed)
	for name, c := range map[string]struct {
		alter   func(*history)
		want    ws
		missing string
	}{
		"harmless":        {func(*history) {}, ws{before, during, window("recovery", healed, healed), window("after", healed, 40)}, ""},
		"recovers later":  {between(30, 33, quick, refused), ws{before, during, window("recovery", healed, 33), window("after", 33, 40)}, ""},
		"slow ones, too":  {both(between(30, 31, quick, refused), between(30, 34, slow, refused)), ws{before, during, window("recovery", healed, 34), window("after", 34, 40)}, ""},
		"never recovers":  {between(30, 40, slow, refused), ws{before, during}, "no 10 requests (slow) in a row"},
		"nobody asks":     {both(removed(30, 40, quick), removed(30, 40, slow)), ws{before, during}, "no request was due after the heal"},
		"classes unknown": {classesUnknown, ws{before, during}, "nobody knows the classes"},
		"no effect":       {unconfirmed, nil, "is not confirmed: nobody saw it"},
		"no fault":        {func(h *history) { h.faults = nil }, nil, "no fault divides the load"},
		"no load":         {func(h *history) { h.windows = nil }, nil, "start of the load"},
		"outlives a load": {func(h *history) { h.windows[0].To = seconds(25) }, ws{before, during, window("recovery", healed, healed), window("after", healed, healed)}, ""},
		"a second fault": {func(h *history) {
			h.inject("break", "store-2", seconds(15), seconds(15.1), seconds(25), seconds(25.1))
		}, ws{window("before", 10, 15), window("during", 15, healed), window("recovery", healed, healed), window("after", healed, 40)}, ""},
	} {
		h := windowed()
		c.alter(h)
		got, err := check.Windows(h.run())
		if !slices.Equal(got, c.want) || (err == nil) != (c.missing == "") || err != nil && !strings.Contains(err.Error(), c.missing) {
			t.Errorf("%s:\n%v %v, want\n%v %q", name, got, err, c.want, c.missing)
		}
	}
}

// windowCase alters an outage whose load is recorded as a phase, and says what a check must make of it.
type windowCase struct {
	name   string
	check  check.Check
	alter  func(*history)
	want   check.Status
	reason string
}

func (c windowCase) run() *check.Run {
	h := windowed()
	c.alter(h)
	return h.run()
}

func TestWithinAWindow(t *testing.T) {
	for _, c := range slices.Concat(windowCases(), lateCases()) {
		t.Run(c.check.Name+"/"+c.name, func(t *testing.T) {
			v := c.check.Judge(c.run())
			if v.Status != c.want || !strings.Contains(v.Reason, c.reason) || v.Reason == "" {
				t.Errorf("%s: %s; want %s: ...%s...", v.Status, v.Reason, c.want, c.reason)
			}
		})
	}
}

func windowCases() []windowCase {
	const limit = 310 * time.Millisecond
	before, during := check.Before(outageFault), check.During(outageFault)
	recovery, after := check.Recovery(outageFault), check.After(outageFault)
	late := delayed(20 * time.Millisecond)
	return []windowCase{
		{"fast", check.LatencyWithin(during, 99, limit), unchanged, check.Pass, `the p99 of 153 requests in the window "during" was 300.0 ms`},
		{"slow before", check.LatencyWithin(during, 99, limit), between(10, 20, slow, late), check.Pass, ""},
		{"slow from the first moment", check.LatencyWithin(during, 99, limit), between(20, 21, slow, late), check.Fail, "was 320.0 ms; 310 ms are allowed"},
		{"slow to the last", check.LatencyWithin(during, 99, limit), between(29.3, 30.2, slow, late), check.Fail, ""},
		{"slow after", check.LatencyWithin(during, 99, limit), between(30.2, 40, slow, late), check.Pass, ""},
		{"slow after, asked of that", check.LatencyWithin(after, 99, limit), between(30.2, 40, slow, late), check.Fail, `in the window "after"`},
		{"slow before, asked of that", check.LatencyWithin(before, 99, limit), between(10, 20, slow, late), check.Fail, `in the window "before"`},
		{"one slow is not the p99", check.LatencyWithin(during, 99, limit), between(22, 22.1, slow, late), check.Pass, ""},
		{"it is the p100", check.LatencyWithin(during, 100, limit), between(22, 22.1, slow, late), check.Fail, "p100"},
		{"slow failures count", check.LatencyWithin(during, 99, limit), between(20, 21, slow, func(q *evidence.Request) { late(q); failed(q) }), check.Fail, ""},
		{"aborted ones do not", check.LatencyWithin(during, 99, limit), between(20, 21, slow, func(q *evidence.Request) { late(q); q.Outcome = evidence.Aborted }), check.Pass, ""},
		{"too few", check.LatencyWithin(during, 99, limit), both(removed(21, 31, quick), removed(20, 31, slow)), check.Unknown, "10 requests were due in the window \"during\", too few for their p99; 100 are wanted"},
		{"too few for a p99.9", check.LatencyWithin(during, 99.9, limit), unchanged, check.Unknown, "1000 are wanted"},
		{"no recovery needed", check.LatencyWithin(recovery, 100, limit), unchanged, check.Unknown, "0 requests were due in the window \"recovery\""},
		{"not confirmed", check.LatencyWithin(during, 99, limit), unconfirmed, check.Unknown, "not confirmed"},
		{"never ordered", check.LatencyWithin(during, 99, limit), func(h *history) { h.injections = nil }, check.Unknown, "never ordered"},
		{"never recovered", check.LatencyWithin(after, 99, limit), between(30, 40, slow, refused), check.Unknown, "no 10 requests (slow) in a row"},

		{"none", check.ErrorsWithin(during, 0), unchanged, check.Pass, "0 of 153 requests"},
		{"as many as allowed", check.ErrorsWithin(during, 5.0/153), between(20, 21, slow, failed), check.Pass, "5 of 153"},
		{"one more", check.ErrorsWithin(during, 5.0/153), between(20, 21.1, slow, failed), check.Fail, `6 of 153 requests in the window "during" failed`},
		{"of an unknown fate", check.ErrorsWithin(during, 0), between(20, 20.1, slow, func(q *evidence.Request) { q.Outcome = evidence.Ambiguous }), check.Fail, "1 of 153"},
		{"refusals are none", check.ErrorsWithin(during, 0), between(20, 30, slow, refused), check.Pass, ""},
		{"in another window", check.ErrorsWithin(during, 0), between(10, 20, slow, failed), check.Pass, ""},
		{"in the recovery", check.ErrorsWithin(recovery, 0.5), between(30, 31, slow, failed), check.Pass, "4 of 12"},
		{"nobody asked", check.ErrorsWithin(during, 0), both(removed(20, 31, quick), removed(20, 31, slow)), check.Unknown, "no request was due in the window"},
		{"not confirmed", check.ErrorsWithin(during, 0), unconfirmed, check.Unknown, "not confirmed"},

		{"none", check.RefusalsWithin(during, 0), between(20, 21, slow, failed), check.Pass, "0 of 153"},
		{"too many", check.RefusalsWithin(during, 0.1), between(20, 30.2, slow, refused), check.Fail, "51 of 153 requests in the window \"during\" were refused, a share of 0.3333; 0.1000 is allowed"},
		{"not confirmed", check.RefusalsWithin(during, 0), unconfirmed, check.Unknown, "not confirmed"},
	}
}

// sentLate delays the requests of a stretch on their way out of the load generator, in seconds.
func sentLate(from, to float64, by time.Duration) func(*history) {
	late := func(q *evidence.Request) { q.Sent += by; q.End += by }
	return both(between(from, to, quick, late), between(from, to, slow, late))
}

// lateCases: a late load generator proves nothing about latency, neither that the service was fast enough nor that it was not.
func lateCases() []windowCase {
	const ms = time.Millisecond
	during := check.During(outageFault)
	within := check.RecoversWithin(outageFault, time.Second)
	worst := check.WorstAddedLatency(outageFault, 100*ms)
	factor := check.LatencyDuring(outageFault, quick, 1.5)
	p99 := check.LatencyWithin(during, 99, 310*ms)
	return []windowCase{
		{"a stall within the schedule's tolerance", worst, sentLate(22, 22.1, 200*ms), check.Unknown, "the load generator was late"},
		{"one request of the service's own beside it", worst, both(sentLate(22, 22.1, 200*ms), between(24, 24.1, slow, delayed(101*ms))), check.Fail, "1 requests"},
		{"slow and late", worst, both(sentLate(22, 22.1, 200*ms), between(22, 22.1, slow, delayed(101*ms))), check.Fail, "1 requests"},
		{"no schedule at all", worst, sentLate(20, 30, 200*ms), check.Unknown, "the load generator was late"},
		{"no schedule, and bursts that slow the service down", worst, both(sentLate(20, 30, 200*ms), between(20, 30, quick, delayed(300*ms))), check.Unknown, "the load generator was late"},
		{"quick ones late", factor, both(oftener, sentLate(22, 22.2, 5*ms)), check.Unknown, "since the load generator was late"},
		{"quick ones late and slow", factor, both(oftener, sentLate(22, 22.2, 5*ms), between(22, 23, quick, delayed(3*ms))), check.Fail, "by a factor"},
		{"no schedule for quick ones", factor, both(oftener, sentLate(20, 30, 200*ms)), check.Unknown, "since the load generator was late"},
		{"a percentile", p99, sentLate(20, 20.9, 15*ms), check.Unknown, "since the load generator was late"},
		{"a percentile of a load without a schedule", p99, sentLate(20, 30, 200*ms), check.Unknown, "since the load generator was late"},
		{"a percentile and the service", p99, both(sentLate(20, 20.9, 15*ms), between(21, 22, slow, delayed(20*ms))), check.Fail, "310 ms are allowed"},
		{"recovery, a stall", within, sentLate(22, 22.1, 200*ms), check.Pass, "after 100 ms"},
		{"recovery, no schedule", within, sentLate(20, 40, 200*ms), check.Unknown, "in a row succeeded"},
		{"recovery, no schedule, failures all the same", within, both(sentLate(20, 40, 200*ms), between(20, 22, slow, refused)), check.Fail, "a request (slow) still failed"},
	}
}
