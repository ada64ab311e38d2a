package check_test

import (
	"fmt"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

const (
	largeFault = "freeze store-1"
	memory     = 1 << 30 // what the largest run may take, evidence included
)

// large is a correct run of n requests, one per millisecond, every fourth of them a miss, sampled ten times a second, with a
// fault of a dependency in the middle that does no harm. Its strings are as those of evidence from a disk: names and keys are
// kept once, ids are not.
func large(n int) *history {
	length := time.Duration(n) * time.Millisecond
	h := &history{plan: scripted("").plan}
	h.plan.Load[0].Requests = uint64(n)
	h.Calls, h.Hops, h.Rows = make([]evidence.Call, 0, n), make([]evidence.Hop, 0, n), make([]evidence.Row, 0, n)
	h.Upstream = make([]evidence.Upstream, 0, n/4+1)
	var call evidence.Upstream
	var hits, misses, cost float64
	gateway := node(1)
	for i := range n {
		id, due := fmt.Sprintf("1-%d", i), loadFrom+time.Duration(i)*time.Millisecond
		tenant := []string{"acme", "globex"}[i/4%2]
		row := evidence.Row{ID: "row-" + id, RequestID: strings.Clone(id), Kind: evidence.RowHit, Tenant: tenant, At: due + time.Millisecond, Replica: gateway, Boot: boot1}
		end := due + hitTakes
		if i%4 == 0 {
			key := fmt.Sprintf("%064d", i)
			call = evidence.Upstream{ID: fmt.Sprintf("llm-%d", i), RequestID: strings.Clone(id), Tenant: tenant, Key: key, N: 1, Caller: gateway,
				Arrived: due, Ended: due + 900*time.Microsecond, Outcome: evidence.UpstreamOK, Status: 200, Cost: 3, Billed: true}
			h.Upstream = append(h.Upstream, call)
			row.Kind, row.Cost = evidence.RowCall, call.Cost
			misses++
			cost += 3
		} else {
			hits++
		}
		row.Key, row.CallID = call.Key, strings.Clone(call.ID)
		h.Rows = append(h.Rows, row)
		h.Hops = append(h.Hops, evidence.Hop{RequestID: strings.Clone(id), Server: gateway, At: due, End: end, Status: 200, Termination: "--"})
		h.Calls = append(h.Calls, evidence.Call{Seq: uint64(i), ID: id, Stage: "steady", Tenant: tenant, Key: call.Key, Due: due, Sent: due, End: end,
			Conns: 1, Status: 200, Outcome: evidence.OK, Answer: evidence.Answer{CallID: strings.Clone(call.ID), Tenant: tenant, Key: call.Key}})
	}
	over := loadFrom + length
	h.Windows = []evidence.Window{{Name: evidence.PhaseLoad, From: loadFrom, To: over}, {Name: evidence.PhaseQuiesce, From: over, To: over + 6*time.Second},
		{Name: evidence.PhaseCollect, From: over + 6*time.Second, To: over + 7*time.Second}}
	h.Nodes = []evidence.Node{{Name: node(1), Subject: true}, {Name: "store-1"}}
	h.Observations = []evidence.Observation{{Source: evidence.SourceReady, Node: node(1), What: evidence.SawUp}}
	h.Injections = []evidence.Injection{{Fault: largeFault, Target: "store-1", Ordered: loadFrom + length/2, Healing: loadFrom + 3*length/4}}
	for _, probe := range []string{evidence.ProbeLogs, evidence.ProbeLeases} {
		saw((over + 6*time.Second).Seconds(), evidence.SourceProbe, probe, evidence.ProbeCollected)(&h.Records)
	}
	saw((loadFrom + length/4).Seconds(), "clients", "store-1", "some")(&h.Records)
	saw((loadFrom + 5*length/8).Seconds(), "clients", "store-1", "none")(&h.Records)
	saw((loadFrom + length/2 + 1).Seconds(), "alive", "store-1", evidence.SawDown)(&h.Records)
	saw((loadFrom + 5*length/8).Seconds(), "roles", "store-2", "leader")(&h.Records)
	saw((loadFrom + 3*length/4 + 1).Seconds(), "alive", "store-1", evidence.SawUp)(&h.Records)
	names := counters()
	for at := 9 * time.Second; at < over+6*time.Second; at += 100 * time.Millisecond {
		h.Samples = append(h.Samples, evidence.Sample{At: at, Node: node(1), Boot: boot1, Values: map[string]float64{gauge: 0, gauge + "_high_water": 3,
			"go_goroutines": 40, names.Hits: hits, names.Calls: misses, names.Cost: cost, names.Answers + `{code="200"}`: float64(n)}})
	}
	return h
}

// limited makes one flood of a large run, and refuses what a bucket of 500 requests/s does not let through.
func limited(h *history) *history {
	const every, fill = 2 * time.Millisecond, 2 * time.Second
	h.plan.Params[evidence.ParamTokenEvery], h.plan.Params[evidence.ParamBucketFill] = every, fill
	g := newGate(every, fill)
	for i := range h.Calls {
		c := &h.Calls[i]
		c.Stage, c.Tenant = "flood", "acme"
		if !g.admits(c.Sent) {
			c.Outcome, c.Status, c.RetryAfter = evidence.Refused, 429, time.Second
		}
	}
	return h
}

// largeChecks are all checks of the package that such a run is to pass, and those that have nothing to judge in it.
func largeChecks(n int) (pass, unknown []check.Check) {
	const limit = time.Second
	pass = append(check.Assumptions(), check.NothingDropped(), check.OncePerKey(), check.ExactCalls(uint64(n/4)), check.RightAnswer(), check.NoHiddenRetries(),
		check.GaugesReturnToZero(gauge), check.Accounting(counters()), check.TenantIsolation(), check.SameKeySameAnswer(), check.SawHitsAndMisses(),
		check.WorstAddedLatency(largeFault, check.Frozen, limit), check.HitLatencyDuring(largeFault, check.Frozen, 1.5),
		check.RecoversWithin(largeFault, check.Frozen, limit), check.RecoversAfterHeal(largeFault, check.Frozen, limit),
		check.FailedOver(largeFault, check.Frozen, "roles", "leader"), check.LeadsAgain(largeFault, check.Frozen, "roles", "leader", limit),
		check.NoSplitBrain("roles", "leader", limit), check.NobodyStays(largeFault, check.Frozen, check.Lead{Source: "roles", What: "leader"},
			check.Clients{Source: "clients", What: "some"}, limit), check.NothingLeftHeld("llm"), check.NoPanics(), check.StaysZero(gauge))
	for _, window := range []func(string, check.Certificate) check.Window{check.Before, check.During, check.After} {
		w := window(largeFault, check.Frozen)
		pass = append(pass, check.LatencyWithin(w, 99, limit), check.ErrorsWithin(w, 0), check.RefusalsWithin(w, 0))
	}
	return pass, []check.Check{check.NewestAnswer(), check.RetryAfterHonest(), check.RetryAfterHonoured(), check.CleanExit(node(1)), check.ServesAgain(node(1)),
		check.InFlightAt(largeFault, 0), check.AnswersOutliveClients(), check.ExpirySpread(limit, 2), check.LimitHolds("flood"),
		check.StepsDown(largeFault, check.Frozen, "roles", "leader", limit), check.CallsHeldBack(largeFault, check.Frozen, 0, n),
		check.OkInGoodSpells(largeFault, check.Frozen, limit, limit, 0.9)}
}

// BenchmarkAllChecks judges runs of up to a million requests with their records by all checks.
func BenchmarkAllChecks(b *testing.B) {
	ofSizes(b, func(n int) (*evidence.Run, func()) {
		run := large(n).run()
		pass, unknown := largeChecks(n)
		return run, func() {
			judgeAll(b, run, pass, check.Pass)
			judgeAll(b, run, unknown, check.Unknown)
		}
	})
}

// BenchmarkLimitHolds judges floods of up to a million requests, since a large run of BenchmarkAllChecks has no rate limit.
func BenchmarkLimitHolds(b *testing.B) {
	ofSizes(b, func(n int) (*evidence.Run, func()) {
		run := limited(large(n)).run()
		return run, func() { judgeAll(b, run, []check.Check{check.LimitHolds("flood")}, check.Pass) }
	})
}

// ofSizes measures the judging of runs of each size, as many of them as have a million requests. It reports the cost per
// request, by the clock and in time of the CPU, and the peak of the memory that the process held, evidence included.
//
// Its peer is the floor: the time of the CPU, per request, of one walk through the same records that does nothing but add up.
// It grows by what the memory is slower than the cache, which no judge can be rid of.
func ofSizes(b *testing.B, prepare func(n int) (run *evidence.Run, judge func())) {
	b.Helper()
	const requests = 1_000_000
	for _, n := range []int{10_000, 100_000, requests} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			defer debug.SetMemoryLimit(debug.SetMemoryLimit(memory))
			var evidence, peak uint64
			var took, cpu, floor time.Duration
			for b.Loop() {
				for range requests / n {
					run, judge := prepare(n)
					debug.FreeOSMemory()
					evidence = held()
					most, began, start := watchMemory(), spent(b), time.Now()
					judge()
					took, cpu, peak = took+time.Since(start), cpu+spent(b)-began, max(peak, most())
					floor += walking(b, run)
				}
			}
			judged := float64(b.N) * requests
			b.ReportMetric(0, "ns/op") // it counts the making of the runs
			b.ReportMetric(float64(took.Nanoseconds())/judged, "ns/request")
			b.ReportMetric(float64(cpu.Nanoseconds())/judged, "cpu-ns/request")
			b.ReportMetric(float64(floor.Nanoseconds())/judged, "floor-cpu-ns/request")
			b.ReportMetric(float64(cpu)/float64(floor), "judged/floor")
			b.ReportMetric(float64(peak)/(1<<20), "peak-MiB")
			b.ReportMetric(float64(evidence)/(1<<20), "evidence-MiB")
		})
	}
}

// walking is the time of the CPU that a walk through the calls, hops, rows and upstream calls of a run takes.
func walking(b *testing.B, run *evidence.Run) time.Duration {
	b.Helper()
	const walks = 10 // one is too short to measure
	var sum time.Duration
	began := spent(b)
	for range walks {
		for _, c := range run.EachCall() {
			sum += c.Due
		}
		for _, h := range run.EachHop() {
			sum += h.At
		}
		for _, w := range run.EachRow() {
			sum += w.At
		}
		for _, u := range run.EachUpstream() {
			sum += u.Arrived
		}
	}
	took := spent(b) - began
	if sum == 0 {
		b.Error("the records have no times")
	}
	return took / walks
}

func judgeAll(b *testing.B, run *evidence.Run, checks []check.Check, want check.Status) {
	b.Helper()
	for _, c := range checks {
		if v := c.Judge(run); v.Status != want {
			b.Errorf("%s is %s: %s", v.Check, v.Status, v.Reason)
		}
	}
}

// spent is the time of the CPU that the process has had, of the collection of garbage too.
func spent(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// watchMemory samples what the process holds until it is asked for the peak, in bytes.
func watchMemory() (peak func() uint64) {
	var most uint64
	stop := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		for t := time.NewTicker(5 * time.Millisecond); ; {
			most = max(most, held())
			select {
			case <-stop:
				t.Stop()
				return
			case <-t.C:
			}
		}
	})
	return func() uint64 {
		close(stop)
		done.Wait()
		return most
	}
}

// held is the memory that the process has from the system and has not given back, in bytes.
func held() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64() - s[1].Value.Uint64()
}
