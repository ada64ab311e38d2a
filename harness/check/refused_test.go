package check_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// anAuthority takes writes from when source called it up until it calls it down.
func anAuthority(name string) check.Authority {
	return check.Authority{Name: name, Follow: func() func(evidence.Observation) bool {
		up := false
		return func(o evidence.Observation) bool {
			if o.Source == "writes" && o.Node == name {
				up = o.What == evidence.SawUp
			}
			return up
		}
	}}
}

func authorities() []check.Authority {
	return []check.Authority{anAuthority("one"), anAuthority("other")}
}

// writes is an observation of whether an authority takes them, at a time in seconds.
func writes(at float64, name, what string) func(*history) {
	return func(h *history) { saw(at, "writes", name, what)(&h.Records) }
}

// refusedCases are the outage of 20 s to 30 s of a store, of which the other authority is none, and what was refused in it.
// From 25 s to 27 s neither authority takes writes.
func refusedCases() []verdictCase {
	const down, up = evidence.SawDown, evidence.SawUp
	c := check.RefusedOnlyWithoutAuthority(check.Excuses{Authorities: authorities(), Linger: time.Second, Faults: []string{"status-500 llm-1"}, Settle: 2 * time.Second})
	seen := func(alter ...func(*history)) func(*history) {
		return func(h *history) {
			h.Windows = []evidence.Window{{Name: evidence.PhaseLoad, From: seconds(10), To: seconds(40)}}
			h.Nodes = append(h.Nodes, evidence.Node{Name: "store-1", Role: "store"}, evidence.Node{Name: "llm-1", Role: "llm"})
			both(writes(1, "one", up), writes(1, "other", up), writes(22, "one", down), writes(25, "other", down), writes(27, "one", up), both(alter...))(h)
		}
	}
	onUpstream := func(h *history) { h.Injections[0].Target, h.Injections[0].Fault = "llm-1", "status-500 llm-1" }
	// killed is the death of the replica that called for the hot answer, which it got at 24.9 s.
	killed := func(at float64) func(*history) {
		return func(h *history) {
			h.Nodes = append(h.Nodes, evidence.Node{Name: "gateway-1", Role: "gateway", Subject: true})
			h.Injections = append(h.Injections, evidence.Injection{Fault: evidence.FaultKill + " gateway-1", Target: "gateway-1", Ordered: seconds(at), Healing: seconds(30)})
			h.Upstream[0].Caller, h.Upstream[0].Arrived, h.Upstream[0].Ended = "gateway-1", seconds(24.6), seconds(24.9)
		}
	}
	told := between(24.9, 25, true, func(c *evidence.Call) { c.Answer.CallID = "hot" })
	return []verdictCase{
		{"nobody", c, "", seen(), check.Pass, "0 were refused"},
		{"misses without authority", c, "", seen(between(25, 27, false, refused)), check.Pass, "10 of them while no authority took writes"},
		{"a miss shortly after", c, "", seen(between(27.6, 27.7, false, refused)), check.Fail, "1 requests were refused without need: 1 misses"},
		{"a miss that waited since", c, "", seen(between(26.8, 27, false, slower(700*time.Millisecond)), between(26.8, 27, false, refused)), check.Pass, "1 of them"},
		{"a miss that waited for longer than it had to", c, "", seen(between(26.8, 27, false, slower(2*time.Second)), between(26.8, 27, false, refused)), check.Fail, "refused without need"},
		{"misses with one authority", c, "", seen(between(23, 24, false, refused)), check.Fail, "5 misses while an authority took writes"},
		{"hits without authority", c, "", seen(between(25, 26, true, refused)), check.Fail, "10 hits"},
		{"an answer that died with its caller", c, "", seen(killed(25), between(25, 26, true, refused)), check.Pass, "10 of them while no authority took writes"},
		{"an answer that was told before its caller died", c, "", seen(killed(25), told, between(25, 26, true, refused)), check.Fail, "10 hits"},
		{"an answer that was stored before its caller died", c, "", seen(killed(26), between(25, 26, true, refused)), check.Fail, "10 hits"},
		{"misses for the upstream", c, "", seen(onUpstream, between(28, 31.9, false, refused)), check.Pass, "20 for the upstream"},
		{"long after that", c, "", seen(onUpstream, between(32.2, 32.3, false, refused)), check.Fail, "1 misses"},
		{"hits for the upstream", c, "", seen(onUpstream, between(28, 29, true, refused)), check.Fail, "10 hits"},
		{"the upstream was never healed", c, "", seen(onUpstream, func(h *history) { h.Injections[0].Healing = 0 }, between(38, 39, false, refused)), check.Pass, "5 for the upstream"},
		{"a fault of the upstream that loses no call", c, "", seen(onUpstream, func(h *history) { h.Injections[0].Fault = "slow llm-1" }, between(28, 29, false, refused)), check.Fail, "5 misses"},
		{"a fault on another node", c, "", seen(between(28, 29, false, refused)), check.Fail, "5 misses"},
		{"never back", c, "", seen(writes(29, "one", down), between(35, 36, false, refused)), check.Pass, "5 of them while"},
		{"nobody looked at one", check.RefusedOnlyWithoutAuthority(check.Excuses{Authorities: append(authorities(), anAuthority("third"))}), "", seen(), check.Unknown, "nobody ever saw third take writes"},
		{"no lifetime", c, "", seen(func(h *history) { h.plan.Params = nil }), check.Unknown, "lifetime"},
		{"no ledger", c, "", seen(func(h *history) { h.Upstream = nil }), check.Unknown, "no ledger"},
		{"no requests", c, "", seen(func(h *history) { h.Calls = nil }), check.Unknown, "no request was sent"},
	}
}

func TestRefusedOnlyWithoutAuthority(t *testing.T) {
	for _, c := range refusedCases() {
		t.Run(c.name, func(t *testing.T) {
			h := outage()
			c.alter(h)
			if v := c.check.Judge(h.run()); v.Status != c.want || !strings.Contains(v.Reason, c.reason) {
				t.Errorf("%s: %s; want %s: ...%s...", v.Status, v.Reason, c.want, c.reason)
			}
		})
	}
}

// TestOncePerKeyOfAuthorities: an extra call is explained where no authority could have prevented it, and nowhere else.
func TestOncePerKeyOfAuthorities(t *testing.T) {
	const ok = evidence.UpstreamOK
	gap := func(from, to float64) evidence.Records {
		var r evidence.Records
		for _, see := range []func(*evidence.Records){saw(0.01, "writes", "one", evidence.SawUp), saw(0.01, "writes", "other", evidence.SawUp),
			saw(from, "writes", "one", evidence.SawDown), saw(from, "writes", "other", evidence.SawDown), saw(to, "writes", "other", evidence.SawUp)} {
			see(&r)
		}
		return r
	}
	at := func(from int) []upstreamCall {
		return []upstreamCall{{"gateway-1", 100, 400, ok, 5}, {"gateway-2", from, from + 300, ok, 5}}
	}
	for _, c := range []struct {
		name string
		seen evidence.Records
		call int // of the extra one, in ms
		want check.Status
	}{
		{"none while the first was under way", gap(0.2, 0.3), 350, check.Pass},
		{"none when its answer was stored", gap(1.3, 1.5), 5000, check.Pass},
		{"none long after that", gap(1.5, 2), 5000, check.Fail},
		{"none after the extra one", gap(0.3, 0.6), 250, check.Fail},
		{"one at all times", gap(9, 9), 350, check.Fail},
		{"nobody looked", evidence.Records{}, 350, check.Unknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := onceRun(at(c.call), c.seen, "")
			if v := check.OncePerKey(authorities()...).Judge(run); v.Status != c.want {
				t.Errorf("%s: %s; want %s", v.Status, v.Reason, c.want)
			}
			if v := check.SameKeySameAnswer(authorities()...).Judge(run); (v.Status == check.Fail) != (c.want == check.Fail) {
				t.Errorf("%s: %s: %s", v.Check, v.Status, v.Reason)
			}
			if v := check.OncePerKey().Judge(run); v.Status != check.Fail {
				t.Errorf("without authorities: %s: %s", v.Status, v.Reason)
			}
		})
	}
}
