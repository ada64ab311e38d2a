package check_test

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

const (
	outageFault  = "break store-1"
	outageFrom   = 20.0 // seconds; active at 20.1
	outageHealed = 30.0 // seconds; the heal is ordered then, and seen at 30.2
)

// outage is a load of one quick request every 100 ms and one slow one every 200 ms from 10 s to 40 s, with a fault from 20 s to
// 30 s that does no harm.
func outage() *history {
	h := &history{plan: evidence.Plan{Params: map[string]time.Duration{}}}
	for at := seconds(10); at < seconds(40); at += 100 * time.Millisecond {
		h.ask(quick, at, quickTakes)
		if at%(200*time.Millisecond) == 0 {
			h.ask(slow, at, slowTakes)
		}
	}
	h.inject("break", "store-1", seconds(outageFrom), seconds(outageFrom+0.1), seconds(outageHealed), seconds(outageHealed+0.2))
	return h
}

func (h *history) ask(class string, due, takes time.Duration) {
	h.requests = append(h.requests, evidence.Request{Seq: uint64(len(h.requests)), Class: class, Due: due, Sent: due, End: due + takes, Status: 200,
		Outcome: evidence.OK})
}

// between alters the requests of a class that are due in a stretch of the run, in seconds.
func between(from, to float64, class string, alter func(*evidence.Request)) func(*history) {
	return requests(func(q *evidence.Request) {
		if q.Class == class && seconds(from) <= q.Due && q.Due < seconds(to) {
			alter(q)
		}
	})
}

// oftener asks for twice as many quick requests, to be enough for a p99 to be compared.
func oftener(h *history) {
	for _, q := range slices.Clone(h.requests) {
		if q.Class == quick {
			h.ask(quick, q.Due+50*time.Millisecond, quickTakes)
		}
	}
	h.inOrder()
}

// inOrder numbers the requests anew in the order in which they are due.
func (h *history) inOrder() {
	slices.SortStableFunc(h.requests, func(a, b evidence.Request) int { return cmp.Compare(a.Due, b.Due) })
	for i := range h.requests {
		h.requests[i].Seq = uint64(i)
	}
}

// seenHealed says when the heal was seen.
func seenHealed(at float64) func(*history) {
	return func(h *history) { h.faults[0].Healed = seconds(at) }
}

// brokenAt adds another fault, which lasts for 2 s.
func brokenAt(at float64) func(*history) {
	return func(h *history) {
		h.inject("break", "store-2", seconds(at), seconds(at+0.1), seconds(at+2), seconds(at+2.1))
		slices.SortFunc(h.injections, func(a, b evidence.Injection) int { return cmp.Compare(a.Ordered, b.Ordered) })
	}
}

// stolen has a hypervisor keep the machine from running.
func stolen(from, to float64) func(*history) {
	return func(h *history) {
		h.saw(seconds(from), evidence.SourceMachine, evidence.SourceMachine, evidence.SawStolen)
		h.saw(seconds(to), evidence.SourceMachine, evidence.SourceMachine, evidence.SawFree)
	}
}

// starvedFrom has the machine have too little CPU time.
func starvedFrom(from, to float64) func(*history) {
	return func(h *history) {
		h.saw(seconds(from), evidence.SourcePressure, evidence.SourceMachine, evidence.SawStarved)
		h.saw(seconds(to), evidence.SourcePressure, evidence.SourceMachine, evidence.SawFree)
	}
}

// crowdedFrom has two processors do all that they can, and programs that have no part in the run take that share of it.
func crowdedFrom(from, to, share float64) func(*history) {
	return func(h *history) {
		h.uses = append(h.uses, evidence.CPUUse{At: seconds(to), Took: seconds(to - from), Cores: 2, Busy: seconds(2 * (to - from)), Run: seconds(2 * (to - from) * (1 - share))})
	}
}

// oneSentLate has one quick request be sent late.
func oneSentLate(at float64, by time.Duration) func(*history) {
	return between(at, at+0.1, quick, func(q *evidence.Request) { q.Sent += by })
}

func removed(from, to float64, class string) func(*history) {
	return func(h *history) {
		h.requests = slices.DeleteFunc(h.requests, func(q evidence.Request) bool {
			return q.Class == class && seconds(from) <= q.Due && q.Due < seconds(to)
		})
	}
}

// outageCase alters an outage and says what a check must make of it.
type outageCase struct {
	name   string
	check  check.Check
	alter  func(*history)
	want   check.Status
	reason string
	figure string
	value  float64
}

func (c outageCase) run() *check.Run {
	h := outage()
	c.alter(h)
	return h.run()
}

func outageCases() []outageCase {
	const ms = time.Millisecond
	worst := check.WorstAddedLatency(outageFault, 350*ms)
	during := check.LatencyDuring(outageFault, quick, 1.5)
	within := check.RecoversWithin(outageFault, time.Second)
	afterHeal := check.RecoversAfterHeal(outageFault, time.Second)
	median := check.MedianWithin(quick, 10*ms)
	over := check.FailedOver(outageFault, "roles", "leader")
	nobody := check.NobodyStays(outageFault, check.Lead{Source: "roles", What: "leader"}, check.Clients{Source: "sessions", What: "clients"}, time.Second)
	// handover is a lead that goes over at 21.1 s, with the clients of the old leader as they change.
	handover := func(clients ...func(*history)) func(*history) {
		return both(append(clients, saw(21.1, "roles", "store-2", "leader"))...)
	}
	came, left := saw(11, "sessions", "store-1", "clients"), saw(21, "sessions", "store-1", "none")
	blind := func(at float64) func(*history) {
		return saw(at, evidence.SourceBlind("sessions"), "store-1", evidence.SawUnknown)
	}
	return []outageCase{
		{"none slower", worst, unchanged, check.Pass, "more than 0.0 ms", "normal_slow_ms", 300},
		{"slower within the limit", worst, between(20, 21, slow, delayed(350*ms)), check.Pass, "350.0 ms", "worst_added_slow_ms", 350},
		{"a slow one too slow", worst, between(20, 20.1, slow, delayed(351*ms)), check.Fail, "1 requests took more than 350 ms longer", "worst_added_slow_ms", 351},
		{"too slow on a starved machine", worst, both(between(20, 20.1, slow, delayed(900*ms)), starvedFrom(20, 20.6), oneSentLate(20, 6*ms)), check.Unknown, "too little CPU time", "worst_added_slow_ms", 900},
		{"too slow also without the starved time", worst, both(between(20, 20.1, slow, delayed(960*ms)), starvedFrom(20, 20.6), oneSentLate(20, 6*ms)), check.Fail, "1 requests took", "", 0},
		{"too slow on a starved machine whose load generator was on time", worst, both(between(20, 20.1, slow, delayed(900*ms)), starvedFrom(20, 20.6)), check.Fail, "1 requests took", "", 0},
		{"too slow while others took the processors", worst, both(between(20, 20.1, slow, delayed(900*ms)), starvedFrom(20, 20.6), crowdedFrom(20, 20.6, 0.5)),
			check.Unknown, "too little CPU time: other programs used 50 % of this machine's CPU time for 0.6 s", "worst_added_slow_ms", 900},
		{"too slow also without the time that others took", worst, both(between(20, 20.1, slow, delayed(900*ms)), starvedFrom(20, 20.6), crowdedFrom(20, 20.5, 0.5)), check.Fail, "1 requests took", "", 0},
		{"too slow of a service that takes the processors itself", worst, both(between(20, 20.1, slow, delayed(900*ms)), starvedFrom(20, 20.6), crowdedFrom(20, 20.6, 0.1)), check.Fail, "1 requests took", "", 0},
		{"too slow in CPU steal time", worst, both(between(20, 20.1, slow, delayed(900*ms)), stolen(20, 20.6)), check.Unknown, "too little CPU time", "", 0},
		{"a quick one as slow as a slow one and more", worst, between(20, 20.02, quick, delayed(360*ms)), check.Fail, "the worst 360 ms", "worst_added_quick_ms", 360},
		{"a quick one that goes the way of slow ones, which differ by 300 ms before it", worst, both(between(15, 15.1, slow, delayed(300*ms)), between(20, 20.02, quick, delayed(640*ms))), check.Pass, "340.0 ms", "worst_added_quick_ms", 340},
		{"a quick one that takes longer than that way", worst, both(between(15, 15.1, slow, delayed(300*ms)), between(20, 20.02, quick, delayed(660*ms))), check.Fail, "the worst 360 ms", "worst_added_quick_ms", 360},
		{"a slow one after slow ones that differ by 300 ms", worst, both(between(15, 15.1, slow, delayed(300*ms)), between(20, 20.02, slow, delayed(660*ms))), check.Fail, "the worst 360 ms", "worst_added_slow_ms", 360},
		{"in flight at the fault", worst, between(19.8, 20, slow, delayed(400*ms)), check.Fail, "1 requests", "", 0},
		{"slow once it is healed", worst, between(35, 35.1, slow, delayed(400*ms)), check.Fail, "1 requests", "", 0},
		{"slow to be refused", worst, between(25, 25.1, slow, func(q *evidence.Request) { refused(q); q.End += 400 * ms }), check.Fail, "1 requests", "", 0},
		{"aborted by the plan", worst, between(25, 25.1, slow, func(q *evidence.Request) { q.Outcome = evidence.Aborted; q.End += time.Hour }), check.Pass, "", "", 0},
		{"slow before it", worst, between(15, 15.1, slow, delayed(300*ms)), check.Pass, "", "normal_slow_ms", 600},
		{"fault did nothing", worst, unconfirmed, check.Unknown, "not confirmed", "", 0},
		{"normal unknown", worst, removed(0, 20, slow), check.Unknown, "only 0 requests (slow)", "", 0},
		{"normal unknown but a quick one too slow", worst, both(removed(0, 20, slow), between(22, 23, quick, delayed(time.Second))), check.Fail, "10 requests", "", 0},
		{"slow, and slow under a fault before it", worst, both(brokenAt(14.5), between(14.5, 30, slow, delayed(400*ms))), check.Fail, "requests took more than 350 ms longer", "normal_slow_ms", 300},
		{"a fault before it came too soon", worst, brokenAt(11), check.Unknown, "only 10 requests (quick) were answered before any fault", "", 0},
		{"nobody asked meanwhile", worst, both(removed(20, 31, quick), removed(20, 31, slow)), check.Unknown, "no request was due while", "", 0},
		{"classes unknown", worst, classesUnknown, check.Unknown, "nobody knows the classes", "", 0},
		{"no fault", worst, func(h *history) { h.injections = nil }, check.Unknown, "never ordered", "", 0},

		{"as fast as before", during, oftener, check.Pass, "a factor of 1.00", "before_p99_ms", 4},
		{"a little slower", during, both(oftener, between(20, 30, quick, delayed(2*ms))), check.Pass, "a factor of 1.50", "during_p99_ms", 6},
		{"slower", during, both(oftener, between(20, 30, quick, delayed(3*ms))), check.Fail, "by a factor of 1.75", "during_p99_ms", 7},
		{"one in fifty slower", during, both(oftener, between(20.5, 20.7, quick, delayed(time.Second))), check.Fail, "factor", "", 0},
		{"slower, and slower under a fault before it", during, both(oftener, brokenAt(16), between(16, 30, quick, delayed(3*ms))), check.Fail, "by a factor of 1.75", "before_p99_ms", 4},
		{"slower after the heal", during, both(oftener, between(30, 40, quick, delayed(time.Second))), check.Pass, "", "", 0},
		{"others slower", during, both(oftener, between(20, 30, slow, delayed(time.Second))), check.Pass, "", "", 0},
		{"slower in CPU steal time", during, both(oftener, between(20.5, 20.7, quick, delayed(time.Second)), stolen(20.4, 21.8)), check.Pass, "a factor of 1.00", "left_out", 29},
		{"slower in CPU steal time before", during, both(oftener, between(15, 16, quick, delayed(3*ms)), between(20, 30, quick, delayed(3*ms)), stolen(14.9, 16.1)),
			check.Fail, "by a factor of 1.75", "before_p99_ms", 4},
		{"slower, with CPU steal time at other times", during, both(oftener, between(20.5, 20.7, quick, delayed(time.Second)), stolen(23, 24)), check.Fail, "factor", "", 0},
		{"slower, and it did not end", during, both(oftener, between(20, 30, quick, delayed(3*ms)), stolen(20.1, 60)), check.Unknown, "met CPU steal time", "", 0},
		{"too few during", during, both(oftener, removed(21, 30, quick)), check.Unknown, "too few to compare", "requests_during", 18},
		{"too few before", during, both(oftener, removed(0, 19, quick)), check.Unknown, "too few to compare", "requests_before", 20},
		{"fault did nothing", during, unconfirmed, check.Unknown, "not confirmed", "", 0},

		{"quick in the middle", median, unchanged, check.Pass, "was 4.0 ms; 10 ms are allowed", "median_ms", 4},
		{"slow in everything", median, between(0, 60, quick, delayed(7*ms)), check.Fail, "was 11.0 ms; 10 ms are allowed", "median_ms", 11},
		{"slow to begin with alone", median, between(0, 14, quick, delayed(7*ms)), check.Pass, "", "median_ms", 4},
		{"slow after the fault alone", median, between(20, 60, quick, delayed(7*ms)), check.Pass, "", "median_ms", 4},
		{"slow to be rejected", median, between(0, 60, quick, func(q *evidence.Request) {
			q.Outcome, q.Want, q.Status, q.End = evidence.Rejected, 401, 401, q.End+7*ms
		}), check.Fail, "was 11.0 ms", "", 0},
		{"only slow ones", check.MedianWithin("other", ms), unchanged, check.Unknown, "0 requests (other) succeeded", "", 0},
		{"too few for a median", median, removed(0, 18.5, quick), check.Unknown, "too few for a median", "", 0},
		{"slow, in CPU steal time", median, both(between(0, 60, quick, delayed(7*ms)), stolen(9, 60)), check.Unknown, "too many to leave out", "", 0},
		{"quick enough with CPU steal time in it", median, stolen(9, 60), check.Pass, "of which CPU steal time took a part", "median_ms", 4},
		{"slow, and asked late", median, requests(func(q *evidence.Request) { q.Sent, q.End = q.Sent+30*ms, q.End+30*ms }), check.Unknown, "the load generator was late", "", 0},

		{"no need to recover", within, unchanged, check.Pass, "after 100 ms", "recovery_slow_ms", 100},
		{"recovers in time", within, between(20.1, 20.9, slow, refused), check.Pass, "after 900 ms", "recovery_slow_ms", 900},
		{"slow is not recovered", within, between(20.1, 20.9, quick, delayed(101*ms)), check.Pass, "after 800 ms", "recovery_quick_ms", 800},
		{"a little slow is", within, between(20.1, 20.9, quick, delayed(100*ms)), check.Pass, "after 100 ms", "", 0},
		{"recovers late", within, between(20.1, 21.2, slow, refused), check.Fail, "a request (slow) still failed or was slow 1100 ms later", "recovery_slow_ms", 1100},
		{"quick ones recover late", within, between(20, 22, quick, refused), check.Fail, "a request (quick) still failed", "", 0},
		{"fails again and again", within, func(h *history) {
			for at := 20.2; at < 30; at += 1.8 {
				between(at, at+0.1, slow, refused)(h)
			}
		}, check.Fail, "a request (slow) still failed", "", 0},
		{"never recovers", within, between(20.1, 40, quick, refused), check.Fail, "a request (quick) still failed", "recovery_quick_ms", 19800},
		{"the run ends too soon", within, both(between(20.1, 20.5, slow, refused), removed(21, 40, slow)), check.Unknown, "no 10 requests (slow) in a row", "recovery_slow_ms", 300},
		{"quick ones only", within, removed(20, 40, slow), check.Pass, "", "recovery_quick_ms", 0},
		{"nobody asked again", within, both(removed(20, 40, slow), removed(20, 40, quick)), check.Unknown, "no request was due afterwards", "", 0},
		{"slow, and slow under a fault before it", within, both(brokenAt(14.5), between(14.5, 22, quick, delayed(400*ms))), check.Fail, "a request (quick) still failed or was slow 1900 ms later", "", 0},
		{"normal unknown", within, removed(0, 20, slow), check.Unknown, "only 0 requests (slow)", "", 0},
		{"normal unknown, and slow", within, both(removed(0, 20, slow), between(20, 25, slow, delayed(time.Second))), check.Unknown, "only 0 requests (slow)", "", 0},
		{"normal unknown, and not answered for a moment", within, both(removed(0, 20, slow), between(20, 21, slow, refused)), check.Unknown, "only 0 requests (slow)", "recovery_slow_ms", 900},
		{"normal unknown, and not answered for long", within, both(removed(0, 20, slow), between(20, 22, slow, refused)), check.Fail, "a request (slow) still failed", "recovery_slow_ms", 1900},
		{"normal unknown, and never answered", within, both(removed(0, 20, slow), between(20, 60, slow, refused)), check.Fail, "a request (slow) still failed", "", 0},
		{"fault did nothing", within, unconfirmed, check.Unknown, "not confirmed", "", 0},
		{"floor", within, func(h *history) { h.plan.Params[evidence.ParamFloor+outageFault] = 500 * ms }, check.Pass, "", "floor_ms", 500},

		{"failing meanwhile is excused", afterHeal, between(20, 29.9, slow, refused), check.Pass, "after 0 ms", "recovery_slow_ms", 0},
		{"recovers late after the heal", afterHeal, between(20, 31.5, slow, refused), check.Fail, "1600 ms later", "", 0},
		{"recovers late after the order, soon after its first sign", afterHeal, both(between(20, 31.1, slow, refused), seenHealed(31)),
			check.Fail, "1200 ms later", "recovery_slow_ms", 1200},
		{"fault did nothing", afterHeal, unconfirmed, check.Unknown, "not confirmed", "", 0},

		{"another leads", over, saw(21.1, "roles", "store-2", "leader"), check.Pass, "store-2 was leader 1000 ms after", "failover_ms", 1000},
		{"another leads, beside the floor", over, func(h *history) {
			saw(21.1, "roles", "store-2", "leader")(h)
			h.plan.Params[evidence.ParamFloor+outageFault] = 700 * ms
		}, check.Pass, "", "floor_ms", 700},
		{"nobody else leads", over, saw(21.1, "roles", "store-1", "leader"), check.Unknown, "no other node than store-1", "", 0},
		{"another leads after the heal", over, saw(31, "roles", "store-2", "leader"), check.Unknown, "no other node", "", 0},
		{"another led before", over, saw(19, "roles", "store-2", "leader"), check.Unknown, "no other node", "", 0},
		{"fault did nothing", over, unconfirmed, check.Unknown, "not confirmed", "", 0},

		{"all left before", nobody, handover(came, left), check.Pass, "0 ms after", "longest_stay_ms", 0},
		{"one stays within the limit", nobody, handover(came, saw(21.9, "sessions", "store-1", "none")), check.Pass, "800 ms after", "longest_stay_ms", 800},
		{"one stays too long", nobody, handover(came, saw(22.2, "sessions", "store-1", "none")), check.Fail, "1.1 s after store-2 had become leader", "longest_stay_ms", 1100},
		{"nobody can tell how long they stay", nobody, handover(came, blind(21.2)), check.Unknown, "sessions could not tell whether clients were connected to store-1", "longest_stay_ms", 100},
		{"nobody can tell for a moment", nobody, handover(came, blind(21.2), saw(21.9, "sessions", "store-1", "none")), check.Pass, "", "longest_stay_ms", 100},
		{"nobody can tell, and they had stayed too long", nobody, handover(came, blind(22.2)), check.Fail, "1.1 s after store-2 had become leader", "", 0},
		{"all left, and nobody can tell for a moment", nobody, handover(came, left, blind(25), saw(26, "sessions", "store-1", "none")), check.Pass, "0 ms after", "", 0},
		{"one stays to the end", nobody, handover(came), check.Fail, "clients were connected to store-1 for 1", "", 0},
		{"one comes back", nobody, handover(came, left, saw(32, "sessions", "store-1", "clients"), saw(33, "sessions", "store-1", "none")), check.Fail, "for 11.9 s", "", 0},
		{"one comes back to stay", nobody, handover(came, left, saw(32, "sessions", "store-1", "clients")), check.Fail, "clients were connected", "", 0},
		{"they come back with the lead", nobody, handover(came, left, saw(31, "roles", "store-1", "leader"), saw(32, "sessions", "store-1", "clients")), check.Pass, "", "", 0},
		{"another node's clients", nobody, handover(came, left, saw(32, "sessions", "store-2", "clients")), check.Pass, "", "", 0},
		{"nobody counted", nobody, handover(), check.Unknown, "sessions saw no client at store-1", "", 0},
		{"nobody took over", nobody, came, check.Unknown, "no other node than store-1", "", 0},
		{"fault did nothing", nobody, unconfirmed, check.Unknown, "not confirmed", "", 0},
	}
}

func TestOutages(t *testing.T) {
	for _, c := range outageCases() {
		t.Run(c.check.Name+"/"+c.name, func(t *testing.T) {
			v := c.check.Judge(c.run())
			if v.Status != c.want || !strings.Contains(v.Reason, c.reason) || v.Reason == "" {
				t.Errorf("%s: %s; want %s: ...%s...", v.Status, v.Reason, c.want, c.reason)
			}
			if got, ok := v.Figures[c.figure]; c.figure != "" && (!ok || int(got+0.5) != int(c.value)) {
				t.Errorf("%s is %v (%t), want %v", c.figure, got, ok, c.value)
			}
		})
	}
}

// TestRecoveryIsTold with the fault that it was from, to be shown beside the floor.
func TestRecoveryIsTold(t *testing.T) {
	ms := func(v float64) *float64 { return &v }
	quickly := map[string]float64{quick: 0, slow: 100}
	late := map[string]float64{quick: 0, slow: 1100}
	floor := func(h *history) { h.plan.Params[evidence.ParamFloor+outageFault] = 500 * time.Millisecond }
	within, over := check.RecoversWithin(outageFault, time.Second), check.FailedOver(outageFault, "roles", "leader")
	for name, c := range map[string]struct {
		check check.Check
		alter func(*history)
		want  *check.RecoveryTimes
	}{
		"recovered":          {within, unchanged, &check.RecoveryTimes{Fault: outageFault, Classes: quickly}},
		"beside the floor":   {within, floor, &check.RecoveryTimes{Fault: outageFault, Floor: ms(500), Classes: quickly}},
		"too late":           {within, between(20.1, 21.2, slow, refused), &check.RecoveryTimes{Fault: outageFault, Classes: late}},
		"after the heal":     {check.RecoversAfterHeal(outageFault, time.Second), unchanged, &check.RecoveryTimes{Fault: outageFault, SinceHeal: true, Classes: map[string]float64{quick: 0, slow: 0}}},
		"not confirmed":      {within, unconfirmed, nil},
		"failed over":        {over, saw(21.1, "roles", "store-2", "leader"), &check.RecoveryTimes{Fault: outageFault, Failover: ms(1000)}},
		"beside that floor":  {over, both(floor, saw(21.1, "roles", "store-2", "leader")), &check.RecoveryTimes{Fault: outageFault, Failover: ms(1000), Floor: ms(500)}},
		"nobody else led":    {over, unchanged, nil},
		"of no class at all": {within, requests(func(q *evidence.Request) { q.Class = "" }), &check.RecoveryTimes{Fault: outageFault, Classes: map[string]float64{"": 0}}},
	} {
		h := outage()
		c.alter(h)
		if v := c.check.Judge(h.run()); !reflect.DeepEqual(v.Recovery, c.want) {
			t.Errorf("%s: %+v, want %+v", name, v.Recovery, c.want)
		}
	}
}
