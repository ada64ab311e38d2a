package check_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

const mega = 1 << 20

func flat() check.Check {
	return check.FlatUse(0.1, check.Use{Metric: "heap", Slack: 2 * mega}, check.Use{Metric: "goroutines", Slack: 10})
}

// flatRun is a load of 200 s, in which two replicas are scraped twice a second: what one uses is told by how far the load is,
// 0 to 1.
func flatRun(heap, goroutines func(done float64) float64, alter ...func(*history)) func() *check.Run {
	return func() *check.Run {
		const length = 200 * time.Second
		h := &history{}
		h.windows = []evidence.Window{{Name: evidence.PhaseLoad, From: loadFrom, To: loadFrom + length}}
		for r := 1; r <= 2; r++ {
			h.nodes = append(h.nodes, evidence.Node{Name: node(r), Subject: true})
			for at := time.Duration(0); at <= length; at += time.Second / 2 {
				done := float64(at) / float64(length)
				h.samples = append(h.samples, evidence.Sample{At: loadFrom + at, Node: node(r), Boot: boot1,
					Values: map[string]float64{"heap": heap(done), "goroutines": goroutines(done)}})
			}
		}
		both(alter...)(h)
		return h.run()
	}
}

// sawtooth is a heap that is collected forty times during the load, and keeps that many bytes.
func sawtooth(kept func(done float64) float64) func(float64) float64 {
	return func(done float64) float64 {
		turns := done * 40
		return kept(done) * (1 + turns - float64(int(turns)))
	}
}

func steadyUse(v float64) func(float64) float64 { return func(float64) float64 { return v } }

type flatCase struct {
	name   string
	run    func() *check.Run
	want   check.Status
	reason string
}

func flatCases() []flatCase {
	calm, few := sawtooth(steadyUse(20*mega)), steadyUse(60)
	leaks := func(bytes float64) func(float64) float64 {
		return sawtooth(func(done float64) float64 { return 20*mega + done*bytes })
	}
	return []flatCase{
		{"flat", flatRun(calm, few), check.Pass, "2 replicas"},
		{"a cache fills at first", flatRun(sawtooth(func(done float64) float64 { return mega * (10 + min(40*done, 10)) }), few), check.Pass, ""},
		{"a little more", flatRun(leaks(3*mega), few), check.Pass, ""},
		{"objects are kept", flatRun(leaks(20*mega), few), check.Fail, "heap of app-1"},
		{"goroutines are left", flatRun(calm, func(done float64) float64 { return 60 + 100*done }), check.Fail, "goroutines of app-1"},
		{"goroutines come and go", flatRun(calm, func(done float64) float64 { return 60 + 100*(done*40-float64(int(done*40))) }), check.Pass, ""},
		{"started anew", flatRun(leaks(20*mega), few, samples(node(1), loadFrom+100*time.Second, func(s *evidence.Sample) { s.Boot = boot2 }),
			samples(node(2), loadFrom+100*time.Second, func(s *evidence.Sample) { s.Boot = boot2 })), check.Unknown, "was started anew"},
		{"started anew in a quarter", flatRun(calm, few, samples(node(2), loadFrom+75*time.Second, func(s *evidence.Sample) { s.Boot = boot2 })), check.Unknown, "app-2 was started anew"},
		{"not exported", flatRun(calm, few, samples(node(2), loadFrom, func(s *evidence.Sample) { delete(s.Values, "heap") })), check.Unknown, "app-2 does not export heap"},
		{"not scraped", flatRun(calm, few, samples(node(1), loadFrom+170*time.Second, func(s *evidence.Sample) { s.Error = "refused" })), check.Unknown, "of the load; 100 are wanted"},
		{"nobody", flatRun(calm, few, func(h *history) { h.nodes = nil }), check.Unknown, "no node"},
		{"no load", flatRun(calm, few, func(h *history) { h.windows = nil }), check.Unknown, "start of the load"},
	}
}

func TestFlatUse(t *testing.T) {
	for _, c := range flatCases() {
		t.Run(c.name, func(t *testing.T) {
			if v := flat().Judge(c.run()); v.Status != c.want || !strings.Contains(v.Reason, c.reason) {
				t.Errorf("%s: %s; want %s: ...%s...", v.Status, v.Reason, c.want, c.reason)
			}
		})
	}
}

// A check that is to look at nothing cannot fail, so it may not pass either.
func TestFlatUseOfNothing(t *testing.T) {
	few := steadyUse(60)
	if v := check.FlatUse(0.1).Judge(flatRun(few, few)()); v.Status != check.Unknown {
		t.Errorf("%s: %s", v.Status, v.Reason)
	}
}

// staysZeroCases are about a gauge of a state.
func staysZeroCases() []verdictCase {
	const state = "breaker_state"
	zero := check.StaysZero(state)
	set := func(v float64) func(*evidence.Sample) { return func(s *evidence.Sample) { s.Values[state] = v } }
	exported := func(alter ...func(*history)) func(*history) {
		return func(h *history) {
			for r := 1; r <= 3; r++ {
				samples(node(r), 0, set(0))(h)
			}
			both(alter...)(h)
		}
	}
	return []verdictCase{
		{"zero", zero, "", exported(), check.Pass, "was 0 on all 3 nodes"},
		{"once not", zero, "", exported(func(h *history) { set(2)(&h.samples[len(h.samples)/2]) }), check.Fail, state + " was 2 on app-2"},
		{"not before the load", zero, "", exported(samples("app-1", 0, func(s *evidence.Sample) {
			if s.At < loadFrom {
				set(2)(s)
			}
		})), check.Pass, ""},
		{"not exported by one", zero, "", exported(samples("app-3", 0, func(s *evidence.Sample) { delete(s.Values, state) })), check.Unknown,
			"app-3 was scraped and did not export"},
		{"exported at first only", zero, "", exported(samples("app-1", loadFrom+time.Second, func(s *evidence.Sample) { delete(s.Values, state) })), check.Unknown,
			"app-1 was scraped and did not export"},
		{"one not scraped", zero, "", exported(samples("app-2", loadFrom, func(s *evidence.Sample) { s.Error = "refused" })), check.Unknown, "app-2 was not scraped"},
		{"not, and another was not scraped", zero, "", exported(samples("app-1", loadFrom, func(s *evidence.Sample) { s.Error = "refused" }),
			samples("app-3", loadFrom, set(1))), check.Fail, state + " was 1 on app-3"},
		{"not zero on a dependency", zero, "", exported(func(h *history) {
			h.samples = append(h.samples, evidence.Sample{At: lastSeen(h), Node: "store-1", Values: map[string]float64{state: 2}})
		}), check.Pass, "on all 3 nodes"},
		{"no load", zero, "", exported(func(h *history) { h.windows = nil }), check.Unknown, "start of the load"},
		{"no nodes", zero, "", func(h *history) { h.nodes, h.samples = nil, nil }, check.Unknown, "no node"},
	}
}

// sawRisesCases are about a gauge of a state that comes and goes: on app-2 it is 1 in every other second, for the first time from
// 11 s on, so that it rises twice before the history ends.
func sawRisesCases() []verdictCase {
	const state = "store_away"
	set := func(node string, of func(at time.Duration) float64) func(*history) {
		return samples(node, 0, func(s *evidence.Sample) { s.Values[state] = of(s.At) })
	}
	flapping := set(victim, func(at time.Duration) float64 { return float64(at / time.Second % 2) })
	from := func(moment time.Duration) func(time.Duration) float64 {
		return func(at time.Duration) float64 {
			if at < moment {
				return 0
			}
			return 5
		}
	}
	once := check.SawRises(state, 1)
	return []verdictCase{
		{"rose", check.SawRises(state, 2), "", flapping, check.Pass, state + " rose 2 times on app-2"},
		{"rose, where another did less", check.SawRises(state, 2), "", both(flapping, set("app-3", from(11*time.Second))), check.Pass, "2 times on app-2"},
		{"rose too seldom", check.SawRises(state, 3), "", flapping, check.Unknown, "rose 2 times at most on one node; 3 are wanted"},
		{"rose on each once", check.SawRises(state, 2), "", both(set("app-1", from(11*time.Second)), set("app-3", from(12*time.Second))), check.Unknown, "1 times at most"},
		{"a counter that is not exported at first", once, "", samples("app-1", 12*time.Second, func(s *evidence.Sample) { s.Values[state] = 3 }), check.Pass, "on app-1"},
		{"was so all the time", once, "", set(victim, from(0)), check.Unknown, "rose 0 times"},
		{"rose before the load", once, "", set(victim, from(loadFrom-200*time.Millisecond)), check.Unknown, "rose 0 times"},
		{"another process", once, "", samples(victim, 12*time.Second, func(s *evidence.Sample) { s.Boot, s.Values[state] = boot2, 1 }), check.Unknown, "rose 0 times"},
		{"never exported", once, "", unchanged, check.Unknown, "rose 0 times"},
		{"rose on a dependency", once, "", func(h *history) {
			for i := range 2 {
				h.samples = append(h.samples, evidence.Sample{At: lastSeen(h), Node: "store-1", Boot: boot1, Values: map[string]float64{state: float64(i)}})
			}
		}, check.Unknown, "rose 0 times"},
		{"no load", once, "", both(flapping, func(h *history) { h.windows = nil }), check.Unknown, "start of the load"},
	}
}
