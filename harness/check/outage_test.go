package check_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

const (
	outageFault  = "break store-1"
	hitNormal    = 4 * time.Millisecond
	missNormal   = 300 * time.Millisecond
	outageFrom   = 20.0 // seconds; active at 20.1
	outageHealed = 30.0 // seconds; the heal is ordered then, and seen at 30.2
)

// outage is a load of one hit every 100 ms and one miss every 200 ms from 10 s to 40 s, with a fault from 20 s to 30 s that
// does no harm.
func outage() *history {
	h := &history{plan: evidence.Plan{Params: map[string]time.Duration{evidence.ParamLifetime: time.Hour}}}
	h.Upstream = append(h.Upstream, evidence.Upstream{ID: "hot", Key: "hot", N: 1, Arrived: seconds(1), Ended: seconds(2), Outcome: evidence.UpstreamOK, Billed: true})
	for at := seconds(10); at < seconds(40); at += 100 * time.Millisecond {
		h.ask("hot", at, hitNormal)
		if at%(200*time.Millisecond) == 0 {
			key := fmt.Sprint("cold-", at.Milliseconds())
			h.ask(key, at, missNormal)
			h.Upstream = append(h.Upstream, evidence.Upstream{ID: key, Key: key, N: 1, Arrived: at, Ended: at + missNormal, Outcome: evidence.UpstreamOK, Billed: true})
		}
	}
	h.Injections = []evidence.Injection{{Fault: outageFault, Target: "store-1", Ordered: seconds(outageFrom), Healing: seconds(outageHealed)}}
	saw(outageFrom+0.1, "alive", "store-1", evidence.SawDown)(&h.Records)
	saw(outageHealed+0.2, "alive", "store-1", evidence.SawUp)(&h.Records)
	return h
}

func (h *history) ask(key string, due, takes time.Duration) {
	h.Calls = append(h.Calls, evidence.Call{Seq: uint64(len(h.Calls)), Key: key, Due: due, Sent: due, End: due + takes, Status: 200, Outcome: evidence.OK})
}

// between alters the requests of a class that are due in a stretch of the run, in seconds.
func between(from, to float64, hot bool, alter func(*evidence.Call)) func(*history) {
	return func(h *history) {
		for i := range h.Calls {
			if c := &h.Calls[i]; (c.Key == "hot") == hot && seconds(from) <= c.Due && c.Due < seconds(to) {
				alter(c)
			}
		}
	}
}

// oftener asks for twice as many hits, to be enough for a p99 to be compared.
func oftener(h *history) {
	for _, c := range slices.Clone(h.Calls) {
		if c.Key == "hot" {
			h.ask(c.Key, c.Due+50*time.Millisecond, hitNormal)
		}
	}
	h.inOrder()
}

// inOrder numbers the requests anew in the order in which they are due.
func (h *history) inOrder() {
	slices.SortStableFunc(h.Calls, func(a, b evidence.Call) int { return cmp.Compare(a.Due, b.Due) })
	for i := range h.Calls {
		h.Calls[i].Seq = uint64(i)
	}
}

// seenHealed says when the heal was seen.
func seenHealed(at float64) func(*history) {
	return func(h *history) { h.Observations[len(h.Observations)-1].At = seconds(at) }
}

// stole says when a hypervisor kept the machine from running.
func stole(from, to float64) func(*history) {
	return func(h *history) {
		saw(from, evidence.SourceMachine, evidence.SourceMachine, evidence.SawStolen)(&h.Records)
		saw(to, evidence.SourceMachine, evidence.SourceMachine, evidence.SawFree)(&h.Records)
	}
}

func slower(d time.Duration) func(*evidence.Call) { return func(c *evidence.Call) { c.End += d } }

func refused(c *evidence.Call) { c.Outcome, c.Status = evidence.Refused, 503 }

func removed(from, to float64, hot bool) func(*history) {
	return func(h *history) {
		h.Calls = slices.DeleteFunc(h.Calls, func(c evidence.Call) bool {
			return (c.Key == "hot") == hot && seconds(from) <= c.Due && c.Due < seconds(to)
		})
	}
}

func both(alter ...func(*history)) func(*history) {
	return func(h *history) {
		for _, a := range alter {
			a(h)
		}
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

func outageCases() []outageCase {
	const ms = time.Millisecond
	worst := check.WorstAddedLatency(outageFault, check.Frozen, 350*ms)
	during := check.HitLatencyDuring(outageFault, check.Frozen, 1.5)
	within := check.RecoversWithin(outageFault, check.Frozen, time.Second)
	afterHeal := check.RecoversAfterHeal(outageFault, check.Frozen, time.Second)
	over := check.FailedOver(outageFault, check.Frozen, "roles", "leader")
	held := check.CallsHeldBack(outageFault, check.Frozen, 2*time.Second, 6)
	nobody := check.NobodyStays(outageFault, check.Frozen, check.Lead{Source: "roles", What: "leader"}, check.Clients{Source: "sessions", What: "clients"}, time.Second)
	// handover is a lead that goes over at 21.1 s, with the clients of the old leader as they change.
	handover := func(clients ...func(*evidence.Records)) func(*history) {
		return func(h *history) {
			for _, record := range append(clients, saw(21.1, "roles", "store-2", "leader")) {
				record(&h.Records)
			}
		}
	}
	came, left := saw(11, "sessions", "store-1", "clients"), saw(21, "sessions", "store-1", "none")
	heldBack := func(calls int) func(*history) {
		return func(h *history) {
			for i := range h.Upstream {
				if u := &h.Upstream[i]; u.Arrived >= seconds(outageFrom+2.1) && u.Arrived <= seconds(outageHealed) {
					if calls--; calls < 0 {
						u.Arrived, u.Ended = seconds(35), seconds(36)
					}
				}
			}
			between(outageFrom, outageHealed, false, refused)(h)
		}
	}
	unchanged := func(*history) {}
	noop := func(h *history) { h.Observations = nil }
	return []outageCase{
		{"none slower", worst, unchanged, check.Pass, "more than 0.0 ms", "normal_miss_ms", 300},
		{"slower within the limit", worst, between(20, 21, false, slower(350*ms)), check.Pass, "350.0 ms", "worst_added_miss_ms", 350},
		{"a miss too slow", worst, between(20, 20.1, false, slower(351*ms)), check.Fail, "1 requests took more than 350 ms longer", "worst_added_miss_ms", 351},
		{"a hit as slow as a miss and more", worst, between(20, 20.02, true, slower(360*ms)), check.Fail, "the worst 360 ms", "worst_added_hit_ms", 360},
		{"in flight at the fault", worst, between(19.8, 20, false, slower(400*ms)), check.Fail, "1 requests", "", 0},
		{"slow once it is healed", worst, between(35, 35.1, false, slower(400*ms)), check.Fail, "1 requests", "", 0},
		{"slow to be refused", worst, between(25, 25.1, false, func(c *evidence.Call) { refused(c); c.End += 400 * ms }), check.Fail, "1 requests", "", 0},
		{"aborted by the plan", worst, between(25, 25.1, false, func(c *evidence.Call) { c.Outcome = evidence.Aborted; c.End += time.Hour }), check.Pass, "", "", 0},
		{"slow before it", worst, between(15, 15.1, false, slower(300*ms)), check.Pass, "", "normal_miss_ms", 600},
		{"fault did nothing", worst, noop, check.Unknown, "not certified", "", 0},
		{"normal unknown", worst, removed(0, 20, false), check.Unknown, "only 0 requests of the class miss", "", 0},
		{"normal unknown but a hit too slow", worst, both(removed(0, 20, false), between(22, 23, true, slower(time.Second))), check.Fail, "10 requests", "", 0},
		{"nobody asked meanwhile", worst, both(removed(20, 31, true), removed(20, 31, false)), check.Unknown, "no request was due while", "", 0},
		{"no lifetime", worst, drop(evidence.ParamLifetime), check.Unknown, "lifetime", "", 0},
		{"no ledger", worst, func(h *history) { h.Upstream = nil }, check.Unknown, "ledger", "", 0},
		{"no fault", worst, func(h *history) { h.Injections = nil }, check.Unknown, "never ordered", "", 0},

		{"as fast as before", during, oftener, check.Pass, "a factor of 1.00", "before_p99_ms", 4},
		{"a little slower", during, both(oftener, between(20, 30, true, slower(2*ms))), check.Pass, "a factor of 1.50", "during_p99_ms", 6},
		{"slower", during, both(oftener, between(20, 30, true, slower(3*ms))), check.Fail, "by a factor of 1.75", "during_p99_ms", 7},
		{"one in fifty slower", during, both(oftener, between(20.5, 20.7, true, slower(time.Second))), check.Fail, "factor", "", 0},
		{"slower after the heal", during, both(oftener, between(30, 40, true, slower(time.Second))), check.Pass, "", "", 0},
		{"misses slower", during, both(oftener, between(20, 30, false, slower(time.Second))), check.Pass, "", "", 0},
		{"slower while time was stolen", during, both(oftener, between(20.5, 20.7, true, slower(time.Second)), stole(20.4, 21.8)), check.Pass, "a factor of 1.00", "left_out", 29},
		{"slower while time was stolen before", during, both(oftener, between(15, 16, true, slower(3*ms)), between(20, 30, true, slower(3*ms)), stole(14.9, 16.1)),
			check.Fail, "by a factor of 1.75", "before_p99_ms", 4},
		{"slower, and time was stolen at other times", during, both(oftener, between(20.5, 20.7, true, slower(time.Second)), stole(23, 24)), check.Fail, "factor", "", 0},
		{"slower, and it did not end", during, both(oftener, between(20, 30, true, slower(3*ms)), stole(20.1, 60)), check.Unknown, "stole from the machine", "", 0},
		{"too few during", during, both(oftener, removed(21, 30, true)), check.Unknown, "too few to compare", "hits_during", 18},
		{"too few before", during, both(oftener, removed(0, 19, true)), check.Unknown, "too few to compare", "hits_before", 20},
		{"fault did nothing", during, noop, check.Unknown, "not certified", "", 0},

		{"no need to recover", within, unchanged, check.Pass, "after 100 ms", "recovery_miss_ms", 100},
		{"recovers in time", within, between(20.1, 20.9, false, refused), check.Pass, "after 900 ms", "recovery_miss_ms", 900},
		{"slow is not recovered", within, between(20.1, 20.9, true, slower(101*ms)), check.Pass, "after 800 ms", "recovery_hit_ms", 800},
		{"a little slow is", within, between(20.1, 20.9, true, slower(100*ms)), check.Pass, "after 100 ms", "", 0},
		{"recovers late", within, between(20.1, 21.2, false, refused), check.Fail, "a miss still failed or was slow 1100 ms later", "recovery_miss_ms", 1100},
		{"hits recover late", within, between(20, 22, true, refused), check.Fail, "a hit still failed", "", 0},
		{"fails again and again", within, func(h *history) {
			for at := 20.2; at < 30; at += 1.8 {
				between(at, at+0.1, false, refused)(h)
			}
		}, check.Fail, "a miss still failed", "", 0},
		{"never recovers", within, between(20.1, 40, true, refused), check.Fail, "a hit still failed", "recovery_hit_ms", 19800},
		{"the run ends too soon", within, both(between(20.1, 20.5, false, refused), removed(21, 40, false)), check.Unknown, "no 10 of the class miss in a row", "recovery_miss_ms", 300},
		{"hits only", within, removed(20, 40, false), check.Pass, "", "recovery_hit_ms", 0},
		{"nobody asked again", within, both(removed(20, 40, false), removed(20, 40, true)), check.Unknown, "no request was due afterwards", "", 0},
		{"normal unknown", within, removed(0, 20, false), check.Unknown, "only 0 requests of the class miss", "", 0},
		{"fault did nothing", within, noop, check.Unknown, "not certified", "", 0},
		{"floor", within, func(h *history) { h.plan.Params[check.ParamFloor+outageFault] = 500 * ms }, check.Pass, "", "floor_ms", 500},

		{"failing meanwhile is excused", afterHeal, between(20, 29.9, false, refused), check.Pass, "after 0 ms", "recovery_miss_ms", 0},
		{"recovers late after the heal", afterHeal, between(20, 31.5, false, refused), check.Fail, "1600 ms later", "", 0},
		{"recovers late after the order, soon after its first sign", afterHeal, both(between(20, 31.1, false, refused), seenHealed(31)),
			check.Fail, "1200 ms later", "recovery_miss_ms", 1200},
		{"fault did nothing", afterHeal, noop, check.Unknown, "not certified", "", 0},

		{"calls held back", held, heldBack(6), check.Pass, "6 calls reached", "misses", 40},
		{"one call too many", held, heldBack(7), check.Fail, "7 calls reached", "calls", 7},
		{"no call held back", held, unchanged, check.Fail, "from 2000 ms after", "", 0},
		{"nobody asked", held, both(heldBack(0), removed(20, 31, false)), check.Unknown, "only 0 misses", "", 0},
		{"fault did nothing", held, noop, check.Unknown, "not certified", "", 0},

		{"another leads", over, func(h *history) { saw(21.1, "roles", "store-2", "leader")(&h.Records) }, check.Pass, "store-2 was leader 1000 ms after", "failover_ms", 1000},
		{"another leads, beside the floor", over, func(h *history) {
			saw(21.1, "roles", "store-2", "leader")(&h.Records)
			h.plan.Params[check.ParamFloor+outageFault] = 700 * ms
		}, check.Pass, "", "floor_ms", 700},
		{"nobody else leads", over, func(h *history) { saw(21.1, "roles", "store-1", "leader")(&h.Records) }, check.Unknown, "no other node than store-1", "", 0},
		{"another leads after the heal", over, func(h *history) { saw(31, "roles", "store-2", "leader")(&h.Records) }, check.Unknown, "no other node", "", 0},
		{"another led before", over, func(h *history) { saw(19, "roles", "store-2", "leader")(&h.Records) }, check.Unknown, "no other node", "", 0},
		{"fault did nothing", over, noop, check.Unknown, "not certified", "", 0},

		{"all left before", nobody, handover(came, left), check.Pass, "0 ms after", "longest_stay_ms", 0},
		{"one stays within the limit", nobody, handover(came, saw(21.9, "sessions", "store-1", "none")), check.Pass, "800 ms after", "longest_stay_ms", 800},
		{"one stays too long", nobody, handover(came, saw(22.2, "sessions", "store-1", "none")), check.Fail, "1.1 s after store-2 had become leader", "longest_stay_ms", 1100},
		{"one stays to the end", nobody, handover(came), check.Fail, "clients were connected to store-1 for 1", "", 0},
		{"one comes back", nobody, handover(came, left, saw(32, "sessions", "store-1", "clients"), saw(33, "sessions", "store-1", "none")), check.Fail, "for 11.9 s", "", 0},
		{"one comes back to stay", nobody, handover(came, left, saw(32, "sessions", "store-1", "clients")), check.Fail, "clients were connected", "", 0},
		{"they come back with the lead", nobody, handover(came, left, saw(31, "roles", "store-1", "leader"), saw(32, "sessions", "store-1", "clients")), check.Pass, "", "", 0},
		{"another node's clients", nobody, handover(came, left, saw(32, "sessions", "store-2", "clients")), check.Pass, "", "", 0},
		{"nobody counted", nobody, handover(), check.Unknown, "sessions saw no client at store-1", "", 0},
		{"nobody took over", nobody, func(h *history) { came(&h.Records) }, check.Unknown, "no other node than store-1", "", 0},
		{"fault did nothing", nobody, noop, check.Unknown, "not certified", "", 0},
	}
}

func TestOutages(t *testing.T) {
	for _, c := range outageCases() {
		t.Run(c.check.Name+"/"+c.name, func(t *testing.T) {
			h := outage()
			c.alter(h)
			v := c.check.Judge(h.run())
			if v.Status != c.want || !strings.Contains(v.Reason, c.reason) || v.Reason == "" {
				t.Errorf("%s: %s; want %s: ...%s...", v.Status, v.Reason, c.want, c.reason)
			}
			if _, told := v.Figures["recovery_hit_ms"]; told && v.Fault != outageFault {
				t.Errorf("a recovery from %q", v.Fault)
			}
			if got, ok := v.Figures[c.figure]; c.figure != "" && (!ok || int(got+0.5) != int(c.value)) {
				t.Errorf("%s is %v (%t), want %v", c.figure, got, ok, c.value)
			}
		})
	}
}
