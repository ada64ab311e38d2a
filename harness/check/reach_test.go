package check_test

import (
	"slices"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// with are the nodes of a run: store-1, which the fault hits, its peers store-2 and store-3, and watcher-1, all of them what
// replicas share but the watcher.
func with(r *evidence.Records) {
	for _, n := range []string{"store-1", "store-2", "store-3"} {
		r.Nodes = append(r.Nodes, evidence.Node{Name: n, Role: "store", Store: true})
	}
	r.Nodes = append(r.Nodes, evidence.Node{Name: "watcher-1", Role: "watcher"})
}

func lost(at float64, by string) func(*evidence.Records) {
	return saw(at, evidence.SourceReach(by), "store-1", evidence.SawLost)
}

func reached(at float64, by string) func(*evidence.Records) {
	return saw(at, evidence.SourceReach(by), "store-1", evidence.SawReached)
}

func TestCutCertificates(t *testing.T) {
	type signs = []func(*evidence.Records)
	all, one := check.CutOff("store", "watcher-1"), check.CutOff("store-2")
	before := signs{with, reached(1, "store-2"), reached(1, "store-3"), reached(1, "watcher-1")}
	cut := slices.Clip(append(before, lost(10.2, "store-2"), lost(10.4, "store-3"), lost(10.3, "watcher-1")))
	healed := append(cut, reached(20.6, "store-2"), reached(20.1, "store-3"), reached(20.2, "watcher-1"))
	for _, c := range []certificateCase{
		{"cut", all, healed, 10.4, 20.6, ""},
		{"cut from one", one, healed, 10.2, 20.6, ""},
		{"cut of nothing", all, before, 0, 0, "store-2 did not lose store-1"},
		{"cut from all but one", all, append(before, lost(10.2, "store-2"), lost(10.3, "watcher-1"), reached(20.6, "store-2"), reached(20.2, "watcher-1")), 0, 0, "store-3 did not lose store-1"},
		{"cut that does not last", all, append(cut, reached(12, "watcher-1"), reached(20.6, "store-2"), reached(20.1, "store-3")), 0, 0, "watcher-1 did not lose store-1 between the order and the heal, for good"},
		{"cut, with a moment of doubt", one, append(before, lost(10.2, "store-2"), reached(10.4, "store-2"), lost(10.6, "store-2"), reached(20.2, "store-2")), 10.6, 20.2, ""},
		{"lost before the order", one, append(before, lost(9, "store-2"), reached(20.2, "store-2")), 0, 0, "store-2 did not lose"},
		{"lost after the heal", one, append(before, lost(20.1, "store-2"), reached(20.2, "store-2")), 0, 0, "store-2 did not lose"},
		{"another is lost", one, append(before, saw(10.2, evidence.SourceReach("store-2"), "store-3", evidence.SawLost)), 0, 0, "store-2 did not lose"},
		{"not healed", all, append(cut, reached(20.6, "store-2"), reached(20.1, "store-3")), 10.4, 0, "watcher-1 never reached store-1 again"},
		{"from nobody", check.CutOff("none"), healed, 0, 0, "no node that store-1 was to be cut off from"},

		{"isolated", check.Isolated, healed, 10.4, 20.6, ""},
		{"isolated, but the watcher reaches it", check.Isolated, append(before, lost(10.2, "store-2"), lost(10.4, "store-3"), reached(20.6, "store-2"), reached(20.1, "store-3")), 10.4, 20.6, ""},
		{"not isolated from one store", check.Isolated, append(before, lost(10.2, "store-2"), lost(10.3, "watcher-1"), reached(20.6, "store-2")), 0, 0, "store-3 did not lose store-1"},
		{"isolated from nothing known", check.Isolated, signs{lost(10.2, "store-2"), reached(20.6, "store-2")}, 0, 0, "no node"},

		{"lossy", check.Lossy("store-2", "store-3"), append(before, lost(10.8, "store-2"), reached(11, "store-2"), lost(12, "store-2"), reached(13, "store-2"), lost(11.4, "store-3"), reached(11.6, "store-3"), lost(20.05, "store-3"), reached(20.4, "store-3")), 10.8, 20.4, ""},
		{"lossy, well again before the heal", check.Lossy("store-2"), append(before, lost(10.8, "store-2"), reached(11, "store-2")), 10.8, 20, ""},
		{"lossy of nothing", check.Lossy("store-2"), before, 0, 0, "store-2 never lost store-1"},
		{"lossy, all lost", check.Lossy("store-2"), append(before, lost(10.8, "store-2"), reached(20.2, "store-2")), 0, 0, "store-2 lost store-1 altogether"},
		{"lossy, not healed", check.Lossy("store-2"), append(before, lost(10.8, "store-2"), reached(11, "store-2"), lost(12, "store-2")), 0, 0, "store-2 has not reached store-1 again"},
		{"lossy to nobody", check.Lossy("none"), healed, 0, 0, "no packets"},
	} {
		t.Run(c.name, c.run)
	}
}

func TestLimitCertificate(t *testing.T) {
	type signs = []func(*evidence.Records)
	account := func(at float64, what string) func(*evidence.Records) {
		return saw(at, evidence.SourceThrottling, "store-1", what)
	}
	free, held := func(at float64) func(*evidence.Records) { return account(at, evidence.SawFree) }, func(at float64) func(*evidence.Records) { return account(at, evidence.SawThrottled) }
	for _, c := range []certificateCase{
		{"limited", check.Limited, signs{free(1), held(10.5), free(20.5)}, 10.5, 20.5, ""},
		{"limited, idle before the heal", check.Limited, signs{free(1), held(10.5), free(15)}, 10.5, 20, ""},
		{"limited, idle now and then", check.Limited, signs{free(1), held(10.5), free(15), held(16), free(20.5)}, 10.5, 20.5, ""},
		{"limit of nothing", check.Limited, signs{free(1)}, 0, 0, "did not keep store-1 from the CPU"},
		{"held after the heal only", check.Limited, signs{free(1), held(20.5), free(21)}, 0, 0, "did not keep store-1 from the CPU"},
		{"not healed", check.Limited, signs{free(1), held(10.5)}, 10.5, 0, "went on keeping store-1 from the CPU"},
		{"unseen", check.Limited, nil, 0, 0, "did not keep"},
	} {
		t.Run(c.name, c.run)
	}
}

func TestSlowCertificate(t *testing.T) {
	type signs = []func(*evidence.Records)
	slow := func(at float64) func(*evidence.Records) { return saw(at, "pace", "store-1", evidence.SawSlow) }
	prompt := func(at float64) func(*evidence.Records) { return saw(at, "pace", "store-1", evidence.SawPrompt) }
	slowed := check.Slowed("pace")
	for _, c := range []certificateCase{
		{"slow", slowed, signs{prompt(1), slow(10.5), prompt(20.5)}, 10.5, 20.5, ""},
		{"slow, with a moment of doubt", slowed, signs{prompt(1), slow(10.5), prompt(11), slow(11.2), prompt(20.5)}, 11.2, 20.5, ""},
		{"slow of nothing", slowed, signs{prompt(1)}, 0, 0, "did not see store-1 become slow"},
		{"slow for a moment", slowed, signs{prompt(1), slow(10.5), prompt(11)}, 0, 0, "and stay so"},
		{"slow before", slowed, signs{slow(9), prompt(20.5)}, 0, 0, "did not see store-1 become slow"},
		{"not healed", slowed, signs{prompt(1), slow(10.5)}, 10.5, 0, "prompt again after the heal"},
		{"another source", check.Slowed("other"), signs{slow(10.5), prompt(20.5)}, 0, 0, "other did not see"},
	} {
		t.Run(c.name, c.run)
	}
}

func TestReachCertificatesNeedAHeal(t *testing.T) {
	in := evidence.Injection{Fault: "cut store-1", Target: "store-1", Ordered: seconds(10)}
	r := evidence.Records{}
	for _, sign := range []func(*evidence.Records){with, lost(10.2, "store-2"), lost(10.2, "store-3"), reached(12, "store-4"),
		saw(11, evidence.SourceThrottling, "store-1", evidence.SawThrottled), saw(12, evidence.SourceThrottling, "store-1", evidence.SawFree),
		saw(11, "pace", "store-1", evidence.SawSlow), saw(12, "pace", "store-2", evidence.SawPrompt)} {
		sign(&r)
	}
	run := evidence.New(evidence.Plan{}, r)
	for name, certificate := range map[string]check.Certificate{"cut": check.CutOff("store-2"), "isolated": check.Isolated, "lossy": check.Lossy("store-2"), "limited": check.Limited, "slow": check.Slowed("pace")} {
		if c := check.Certify(run, in, certificate); c.Certified {
			t.Errorf("%s is certified without a heal: %+v", name, c)
		}
	}
}

// cutAt is a certified cut of gateway-1 from both stores, which the load balancer saw too, unless it is told otherwise.
func cutAt(ordered, healing int, change ...func(*evidence.Records)) evidence.Records {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	r := faultAt(evidence.FaultCut, ordered, healing)
	r.Nodes = []evidence.Node{{Name: "redis-1", Store: true}, {Name: "postgres-1", Store: true}, {Name: "gateway-1", Subject: true}}
	for _, n := range []string{"redis-1", "postgres-1"} {
		r.Observations = append(r.Observations,
			evidence.Observation{At: ms(ordered + 200), Source: evidence.SourceReach(n), Node: "gateway-1", What: evidence.SawLost},
			evidence.Observation{At: ms(healing + 200), Source: evidence.SourceReach(n), Node: "gateway-1", What: evidence.SawReached})
	}
	for _, c := range change {
		c(&r)
	}
	return r
}

// TestOncePerKeyWhenCutOff: the lease is 1 s.
func TestOncePerKeyWhenCutOff(t *testing.T) {
	const ok = evidence.UpstreamOK
	blind := func(r *evidence.Records) { r.Observations = r.Observations[:len(r.Observations)-2] }
	third := func(r *evidence.Records) { r.Nodes = append(r.Nodes, evidence.Node{Name: "redis-2", Store: true}) }
	cut := func(change ...func(*evidence.Records)) evidence.Records { return cutAt(500, 3000, change...) }
	for _, c := range []struct {
		name   string
		calls  []upstreamCall
		faults evidence.Records
		want   check.Status
		extra  float64
	}{
		{"its caller could not store it", []upstreamCall{{"gateway-1", 300, 800, ok, 0}, {"gateway-2", 1700, 2000, ok, 5}}, cut(), check.Pass, 1},
		{"begun under the last lease", []upstreamCall{{"gateway-1", 1450, 1900, ok, 0}, {"gateway-2", 1800, 2000, ok, 5}}, cut(), check.Pass, 1},
		{"for less than the lease", []upstreamCall{{"gateway-1", 300, 800, ok, 0}, {"gateway-2", 1100, 1300, ok, 5}}, cutAt(500, 1200), check.Fail, 0},
		{"begun when no lease can have lasted", []upstreamCall{{"gateway-1", 1550, 1900, ok, 0}, {"gateway-2", 1800, 2000, ok, 5}}, cut(), check.Fail, 0},
		{"it called while another did", []upstreamCall{{"gateway-2", 800, 1200, ok, 5}, {"gateway-1", 1000, 1300, ok, 0}}, cut(), check.Fail, 0},
		{"it called again when it was healed", []upstreamCall{{"gateway-2", 1700, 2000, ok, 5}, {"gateway-1", 3100, 3400, ok, 0}}, cut(), check.Fail, 0},
		{"a client had the answer", []upstreamCall{{"gateway-1", 100, 450, ok, 20}, {"gateway-2", 1700, 2000, ok, 5}}, cut(), check.Fail, 0},
		{"another caller", []upstreamCall{{"gateway-3", 300, 800, ok, 0}, {"gateway-2", 1700, 2000, ok, 5}}, cut(), check.Fail, 0},
		{"stored long before", []upstreamCall{{"gateway-1", 100, 400, ok, 0}, {"gateway-2", 10_700, 10_900, ok, 5}}, cutAt(9500, 12_000), check.Fail, 0},
		{"once per key and fault", []upstreamCall{{"gateway-1", 300, 800, ok, 0}, {"gateway-2", 1700, 2000, ok, 0}, {"gateway-3", 2200, 2300, ok, 5}}, cut(), check.Fail, 1},
		{"one store reached it", []upstreamCall{{"gateway-1", 300, 800, ok, 0}, {"gateway-2", 1700, 2000, ok, 5}}, cut(third), check.Fail, 0},
		{"not certified", []upstreamCall{{"gateway-1", 300, 800, ok, 0}, {"gateway-2", 1700, 2000, ok, 5}}, cut(blind), check.Fail, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := check.OncePerKey().Judge(onceRun(c.calls, c.faults, ""))
			if v.Status != c.want || v.Figures["extra_explained"] != c.extra {
				t.Errorf("%s, %v explained: %s; want %s, %v", v.Status, v.Figures["extra_explained"], v.Reason, c.want, c.extra)
			}
		})
	}
}

// TestRetriesWhenCutOff: a request that the load balancer sent elsewhere since it had lost the replica is excused; if nobody
// but the stores had, or the cut was of another node, or is not proven, it is not.
func TestRetriesWhenCutOff(t *testing.T) {
	balancer := func(r *evidence.Records) {
		r.Observations = append(r.Observations, evidence.Observation{At: 800 * time.Millisecond, Source: evidence.SourceHAProxy, Node: "gateway-1", What: evidence.SawDown})
	}
	dependency := func(r *evidence.Records) { r.Nodes[2].Subject = false }
	for _, c := range []struct {
		name   string
		faults evidence.Records
		want   check.Status
	}{
		{"ejected", cutAt(500, 3000, balancer), check.Pass},
		{"not ejected", cutAt(500, 3000), check.Fail},
		{"a dependency", cutAt(500, 3000, balancer, dependency), check.Fail},
		{"not certified", cutAt(500, 3000, balancer, func(r *evidence.Records) { r.Observations = r.Observations[:3] }), check.Fail},
		{"over before", cutAt(100, 300, func(r *evidence.Records) {
			balancer(r)
			r.Observations[len(r.Observations)-1].At = 200 * time.Millisecond
		}), check.Fail},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := c.faults
			r.Calls = []evidence.Call{{ID: "1", Outcome: evidence.OK, Conns: 1, Sent: 600 * time.Millisecond, End: 900 * time.Millisecond}}
			r.Hops = []evidence.Hop{{RequestID: "1", At: 600 * time.Millisecond, End: 900 * time.Millisecond, Retries: 1, Redispatched: true, Termination: "--"}}
			if v := check.NoHiddenRetries().Judge(evidence.New(evidence.Plan{}, r)); v.Status != c.want {
				t.Errorf("%s: %s; want %s", v.Status, v.Reason, c.want)
			}
		})
	}
}
