package reports

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

var keep = flag.String("keep", "", "write the realistic sample run into this new folder and keep it, to be looked at in a browser")

// epoch of every hand-made run.
func epoch() time.Time { return time.Date(2026, 3, 14, 9, 26, 53, 589_793_238, time.UTC) }

const sampleLoadAt = 14 * time.Second // the load starts after the stack and the baseline

// draft is a scenario's folder in the making.
type draft struct {
	plan      evidence.Plan
	records   evidence.Records
	judgement *check.Judgement
	logs      map[string]string
	torn      bool // no manifest: the harness was cut short
}

func (d draft) write(t testing.TB, dir string) {
	t.Helper()
	rec, err := evidence.NewRecorder(dir, epoch())
	must(t, err)
	d.record(rec)
	must(t, rec.WritePlan(d.plan))
	must(t, rec.Close())
	if d.torn {
		must(t, os.Remove(filepath.Join(dir, evidenceDir, "manifest.json")))
	}
	if d.judgement != nil {
		must(t, evidence.WriteJSON(filepath.Join(dir, verdictsFile), d.judgement))
	}
	must(t, os.MkdirAll(filepath.Join(dir, logsDir), 0o755))
	for name, text := range d.logs {
		must(t, os.WriteFile(filepath.Join(dir, logsDir, name+".log"), []byte(text), 0o644))
	}
}

func (d draft) record(rec *evidence.Recorder) {
	each(d.records.Calls, rec.Call)
	each(d.records.Upstream, rec.Upstream)
	each(d.records.Hops, rec.Hop)
	each(d.records.Rows, rec.Row)
	each(d.records.Samples, rec.Sample)
	each(d.records.Exits, rec.Exit)
	each(d.records.Injections, rec.Injection)
	each(d.records.Observations, rec.Observation)
	each(d.records.Windows, rec.Window)
	each(d.records.Nodes, rec.Node)
	each(d.records.Leases, rec.Lease)
	each(d.records.LogLines, rec.LogLine)
}

func each[T any](all []T, put func(T)) {
	for _, v := range all {
		put(v)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func sampleNodes() []evidence.Node {
	var nodes []evidence.Node
	n := 10
	add := func(role, version string, count int) {
		for i := range count {
			n++
			nodes = append(nodes, evidence.Node{Name: fmt.Sprintf("%s-%d", role, i+1), Role: role, Addr: fmt.Sprintf("198.18.4.%d", n),
				Subject: role == "gateway", Version: version})
		}
	}
	add("etcd", "3.5.16", 3)
	add("postgres", "17.6", 3)
	add("redis", "8.0.2", 3)
	add("redis-sentinel", "8.0.2", 3)
	add("haproxy", "3.0.11", 1)
	add("llm", "", 1)
	add("gateway", "", 3)
	return nodes
}

func samplePlan(scenario, claim string, load ...evidence.Stage) evidence.Plan {
	return evidence.Plan{Scenario: scenario, Claim: claim, Seed: 20260314, Driver: "docker", Load: load,
		Versions: map[string]string{"postgres": "17.6", "redis": "8.0.2", "haproxy": "3.0.11", "etcd": "3.5.16", "go": "1.26.0"}}
}

func sampleWindows(load time.Duration) []evidence.Window {
	return []evidence.Window{
		{Name: evidence.PhaseStart, From: 0, To: 12 * time.Second},
		{Name: evidence.PhaseBaseline, From: 12 * time.Second, To: sampleLoadAt},
		{Name: evidence.PhaseLoad, From: sampleLoadAt, To: sampleLoadAt + load},
		{Name: evidence.PhaseQuiesce, From: sampleLoadAt + load, To: sampleLoadAt + load + 3*time.Second},
		{Name: evidence.PhaseCollect, From: sampleLoadAt + load + 3*time.Second, To: sampleLoadAt + load + 4*time.Second},
	}
}

// traffic makes records as the correct service leaves them: hits in about a millisecond, misses in about 300.
type traffic struct {
	rng *rand.Rand
	evidence.Records
}

func newTraffic() *traffic { return &traffic{rng: rand.New(rand.NewPCG(1, 2))} }

func (tr *traffic) jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * math.Exp(tr.rng.NormFloat64()*.35))
}

func (tr *traffic) ask(stage, key string, due time.Duration, miss bool) {
	seq := uint64(len(tr.Calls))
	c := evidence.Call{Seq: seq, ID: fmt.Sprintf("r-%06d", seq), Stage: stage, Tenant: "tenant-" + key[:1], Key: key, Due: due,
		Sent: due + tr.jitter(400*time.Microsecond), Conns: 1, Status: 200, Outcome: evidence.OK}
	took, kind, call := tr.jitter(1100*time.Microsecond), evidence.RowHit, "c-"+key
	if miss {
		took, kind = 300*time.Millisecond+tr.jitter(4*time.Millisecond), evidence.RowCall
		tr.Upstream = append(tr.Upstream, evidence.Upstream{ID: call, RequestID: c.ID, Tenant: c.Tenant, Key: key, N: 1, Caller: "gateway-1",
			Arrived: c.Sent + 2*time.Millisecond, Ended: c.Sent + took - time.Millisecond, Outcome: evidence.UpstreamOK, Status: 200, Cost: 184_000, Billed: true})
	}
	c.End = c.Sent + took
	c.Answer = evidence.Answer{CallID: call, Tenant: c.Tenant, Key: key, Source: kind}
	server := fmt.Sprintf("gateway-%d", 1+seq%3)
	tr.Calls = append(tr.Calls, c)
	tr.Hops = append(tr.Hops, evidence.Hop{RequestID: c.ID, Server: server, At: c.Sent, End: c.End, Status: 200, Termination: "--"})
	tr.Rows = append(tr.Rows, evidence.Row{ID: "row-" + c.ID, RequestID: c.ID, Tenant: c.Tenant, Key: key, Kind: kind, CallID: call, At: c.End, Replica: server})
}

func samplePass(name, reason string, figures map[string]float64) check.Verdict {
	return check.Verdict{Check: name, Status: check.Pass, Reason: reason, Figures: figures}
}

func sampleAssumptions() []check.Verdict {
	return []check.Verdict{
		samplePass("LoadKeptSchedule", "requests were sent at most 1.4 ms late at the p99", map[string]float64{"lag_p50_ms": .41, "lag_p99_ms": 1.38}),
		samplePass("HealthyBefore", "every node was ready and every gauge zero before the load", nil),
		samplePass("NoUnplannedDeath", "no node outside the plan exited", map[string]float64{"exits": 1}),
	}
}

// sigterm is 200 requests/s for 20 s in which one replica is told to stop after 8 s.
func sigterm() draft {
	tr := newTraffic()
	for k := range 4000 {
		due := sampleLoadAt + time.Duration(k+1)*5*time.Millisecond
		tr.ask("steady", fmt.Sprintf("%c-key-%d", 'a'+k%4, k/4%125+k/2000*125), due, k%2000 < 500)
	}
	at := func(ms int) time.Duration { return sampleLoadAt + time.Duration(ms)*time.Millisecond }
	tr.Windows, tr.Nodes = sampleWindows(20*time.Second), sampleNodes()
	tr.Exits = []evidence.Exit{{Node: "gateway-2", At: at(8912), Code: 0}}
	tr.Injections = []evidence.Injection{{Fault: "sigterm", Target: "gateway-2", Ordered: at(8000), Healing: at(12000)}}
	j := check.Judgement{
		Assumptions: sampleAssumptions(),
		Checks: []check.Verdict{
			samplePass("NothingDropped", "4,000 of 4,000 requests were answered", map[string]float64{"planned": 4000, "dropped": 0, "refused": 0, "allowed_share": 0}),
			samplePass("OncePerKey", "1,000 keys were asked for and the LLM was called 1,000 times", map[string]float64{"keys": 1000, "calls": 1000, "calls_avoided": 3000, "saved_usd": .552, "billed_usd": .184}),
			samplePass("RightAnswer", "every answer is the one that the ledger holds for its tenant and key", map[string]float64{"answers": 4000, "oldest_ms": 48123.5}),
			samplePass("NoHiddenRetries", "the load balancer's log shows no retry and no redispatch", map[string]float64{"hops": 4000, "retries": 0}),
			samplePass("GaugesReturnToZero", "all gauges were zero within 5 s of the last response", map[string]float64{"high_water": 61, "settled_ms": 212.4}),
			samplePass("CleanExit", "gateway-2 ended with code 0 after 912 ms, inside its grace period", map[string]float64{"exit_ms": 912, "grace_ms": 10000}),
		},
		Sometimes: []check.Verdict{samplePass("InFlightAtSignal", "17 requests were in flight on gateway-2 at the signal", map[string]float64{"in_flight": 17})},
		Faults:    []check.Certified{{Fault: "sigterm", Target: "gateway-2", Ordered: at(8000), Active: at(8094), Healing: at(12000), Healed: at(12583), Certified: true}},
	}
	concluded := j.Conclude()
	return draft{plan: samplePlan("sigterm-mid-load", "A replica told to stop while 200 requests arrive per second drops none of them and exits cleanly.",
		evidence.Stage{Name: "steady", Shape: "200/s for 20s", Requests: 4000}), records: tr.Records, judgement: &concluded,
		logs: map[string]string{"gateway-1": "ready\n", "gateway-2": "ready\nsignal: terminated\n", "haproxy-1": "started\n"}}
}

// brokenSigterm is the same against a service that closes its listener before it drains.
func brokenSigterm() draft {
	d := sigterm()
	d.plan.Scenario = "sigterm-mutant"
	var dropped []uint64
	for i := range d.records.Calls {
		c := &d.records.Calls[i]
		if off := c.Due - sampleLoadAt; off < 8*time.Second || off > 8900*time.Millisecond || c.Seq%3 != 1 {
			continue
		}
		dropped = append(dropped, c.Seq)
		c.Answer = evidence.Answer{}
		if c.Seq%2 == 0 {
			c.Outcome, c.Reason, c.Status = evidence.Ambiguous, "eof", 0
		} else {
			c.Outcome, c.Reason, c.Status = evidence.Failed, "status", 502
		}
		c.End = c.Sent + 230*time.Millisecond
		d.records.Hops[i].Termination, d.records.Hops[i].Retries, d.records.Hops[i].Status = "SH", 1, 502
		d.records.Rows[i].RequestID = "lost"
	}
	j := *d.judgement
	j.Checks[0] = check.Verdict{Check: "NothingDropped", Status: check.Fail, Calls: dropped[:check.MaxCalls],
		Reason:  fmt.Sprintf("%d requests were dropped, the first %s after the signal", len(dropped), "5 ms"),
		Figures: map[string]float64{"planned": 4000, "dropped": float64(len(dropped)), "dropped_share": float64(len(dropped)) / 4000}}
	j.Checks[3] = check.Verdict{Check: "NoHiddenRetries", Status: check.Fail, Calls: dropped[:3], Reason: "the load balancer retried 60 requests that were not under a kill or a freeze",
		Figures: map[string]float64{"retries": 60}}
	j.Checks[5] = check.Verdict{Check: "CleanExit", Status: check.Unknown, Reason: "no exit of gateway-2 was recorded"}
	j = j.Conclude()
	d.judgement = &j
	return d
}

// herd is 1,000 requests at once over ten cold keys, then the same keys trickling in.
func herd() draft {
	tr := newTraffic()
	for k := range 1100 {
		due := sampleLoadAt
		if k >= 1000 {
			due += time.Duration(k-999) * 20 * time.Millisecond
		}
		tr.ask("herd", fmt.Sprintf("%c-key-%d", 'a'+k%5, k%10), due, k < 10)
		if c := &tr.Calls[k]; k >= 10 && k < 1000 {
			c.Sent += time.Duration(k) * 18 * time.Microsecond
			c.End = sampleLoadAt + 305*time.Millisecond + tr.jitter(20*time.Millisecond)
		}
	}
	tr.Windows, tr.Nodes = sampleWindows(2*time.Second), sampleNodes()
	j := check.Judgement{
		Assumptions: sampleAssumptions(),
		Checks: []check.Verdict{
			samplePass("NothingDropped", "1,100 of 1,100 requests were answered", map[string]float64{"planned": 1100, "dropped": 0}),
			samplePass("OncePerKey", "10 keys were asked for and the LLM was called 10 times", map[string]float64{"keys": 10, "calls": 10, "calls_avoided": 1090, "saved_usd": 12.2006, "billed_usd": .00184}),
			samplePass("RightAnswer", "every answer is the one that the ledger holds for its tenant and key", map[string]float64{"answers": 1100}),
		},
		Sometimes: []check.Verdict{samplePass("ManyWaited", "990 requests waited on a flight of another", map[string]float64{"waited": 990})},
	}
	concluded := j.Conclude()
	return draft{plan: samplePlan("thundering-herd", "A thousand requests at once for ten cold keys cost exactly ten LLM calls, and every answer is right.",
		evidence.Stage{Name: "herd", Shape: "1,000 at once", Requests: 1000}, evidence.Stage{Name: "trickle", Shape: "50/s for 2s", Requests: 100}),
		records: tr.Records, judgement: &concluded, logs: map[string]string{"llm-1": "10 calls\n"}}
}

// uncertified is a fault that nobody saw take effect.
func uncertified() draft {
	d := sigterm()
	d.plan.Scenario, d.plan.Claim = "redis-master-kill", "Killing the Redis master costs no request and no second LLM call."
	j := *d.judgement
	f := &j.Faults[0]
	f.Fault, f.Target, f.Active, f.Healed, f.Certified, f.Missing = "kill", "redis-1", 0, 0, false, "no +switch-master was seen by two Redis Sentinels"
	j.Assumptions = append([]check.Verdict{{Check: "EveryFaultCertified", Status: check.Unknown, Reason: "kill on redis-1 is not certified"}}, j.Assumptions...)
	j = j.Conclude()
	d.judgement = &j
	return d
}

func sampleRun(t testing.TB, dir string) {
	must(t, os.MkdirAll(dir, 0o755))
	must(t, WriteRun(dir, Run{Run: "20260314-092653", Started: epoch(), Seed: 20260314, Driver: "docker", NotRun: []NotRun{
		{"postgres-node-kill", "Killing the Postgres primary's node costs no cache hit.", "needs 95 s and the deadline leaves 40 s: run with -timeout 10m"}}}))
	for _, d := range []draft{sigterm(), brokenSigterm(), herd(), uncertified()} {
		d.write(t, filepath.Join(dir, d.plan.Scenario))
	}
}

// TestSample renders a run of a realistic size; with -keep its pages stay, to be looked at.
func TestSample(t *testing.T) {
	dir := *keep
	if dir == "" {
		dir = t.TempDir()
	}
	sampleRun(t, dir)
	r, err := Render(dir)
	must(t, err)
	if got := r.Status(); got != Fail {
		t.Fatalf("overall %s, want fail: one scenario failed", got)
	}
	if got := tally(r); got != "1 failed, 1 inconclusive, 2 passed, 1 not run" {
		t.Fatalf("tally %q", got)
	}
}
