package reports

import (
	"cmp"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

var keep = flag.String("keep", "", "write the realistic sample run into this new folder and keep it, to be looked at in a browser")

// epoch of every hand-made run.
func epoch() time.Time { return time.Date(2026, 3, 14, 9, 26, 53, 589_793_238, time.UTC) }

const sampleLoadAt = 14 * time.Second // the load starts after the stack and the baseline

// job is a record of a kind that the sample system brings: one request of a key, done by its upstream.
type job struct {
	RequestID string        `json:"request_id"`
	Key       string        `json:"key"`
	Worker    string        `json:"worker"`
	From      time.Duration `json:"from_ns"`
	To        time.Duration `json:"to_ns"`
}

var jobs = evidence.NewKind("jobs", func(a, b *job) int { return cmp.Compare(a.From, b.From) })

// sampleOptions are what the sample system adds to the pages.
func sampleOptions() Options {
	return Options{Lanes: []Lane{{"jobs", jobSpans}, {"parcels", func(*evidence.Run) []evidence.Span { return nil }}}, Trail: jobTrail}
}

func jobSpans(run *evidence.Run) (all []evidence.Span) {
	for _, x := range jobs.Each(run) {
		all = append(all, evidence.Span{From: x.From, To: x.To})
	}
	return all
}

func jobTrail(run *evidence.Run, q *evidence.Request) (all []Line) {
	for _, x := range jobs.Each(run) {
		if x.Key == q.Key {
			all = append(all, Line{"jobs, same key", x.From, fmt.Sprintf("%s took %s", x.Worker, duration(x.To-x.From))})
		}
	}
	return append(all, Line{Source: "notes"}, Line{Source: "journal", Text: "entry of " + q.ID})
}

// records are what a scenario's folder holds.
type records struct {
	Requests   []evidence.Request
	Exits      []evidence.Exit
	Injections []evidence.Injection
	Windows    []evidence.Window
	Nodes      []evidence.Node
	Jobs       []job
}

// draft is a scenario's folder in the making.
type draft struct {
	plan      evidence.Plan
	records   records
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
		must(t, os.Remove(filepath.Join(dir, evidence.Dir, "manifest.json")))
	}
	if j := d.judgement; j != nil {
		if run, err := evidence.Open(dir); err == nil && len(j.Faults) > 0 {
			told := divided(run, nil, j.Faults...)
			j.Windows, j.Untold = told.Windows, told.Untold
		}
		must(t, evidence.WriteJSON(filepath.Join(dir, evidence.VerdictsFile), j))
	}
	must(t, os.MkdirAll(filepath.Join(dir, evidence.LogsDir), 0o755))
	for name, text := range d.logs {
		must(t, os.WriteFile(filepath.Join(dir, evidence.LogsDir, name+".log"), []byte(text), 0o644))
	}
}

func (d draft) record(rec *evidence.Recorder) {
	put(rec, evidence.Requests, d.records.Requests)
	put(rec, evidence.Exits, d.records.Exits)
	put(rec, evidence.Injections, d.records.Injections)
	put(rec, evidence.Windows, d.records.Windows)
	put(rec, evidence.Nodes, d.records.Nodes)
	put(rec, jobs, d.records.Jobs)
}

func put[T any](rec *evidence.Recorder, kind *evidence.Kind[T], all []T) {
	for _, v := range all {
		kind.Put(rec, v)
	}
}

func writeSession(t testing.TB, dir string, s evidence.Session) {
	t.Helper()
	must(t, os.MkdirAll(dir, 0o755))
	must(t, evidence.WriteJSON(filepath.Join(dir, evidence.SessionFile), s))
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
	add := func(role string, count int) {
		for i := range count {
			n++
			nodes = append(nodes, evidence.Node{Name: fmt.Sprintf("%s-%d", role, i+1), Role: role, Addr: fmt.Sprintf("198.18.4.%d", n), Subject: role == "app"})
		}
	}
	add("elector", 3)
	add("store", 3)
	add("balancer", 1)
	add("upstream", 1)
	add("app", 3)
	return nodes
}

func samplePlan(scenario, claim string, load ...evidence.Stage) evidence.Plan {
	return evidence.Plan{Scenario: scenario, Claim: claim, Seed: 20260314, Driver: "local", Load: load,
		Versions: map[string]string{"store": "17.6", "balancer": "3.0.11", "elector": "3.5.16", "go": "1.26.0"}}
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
	records
}

func newTraffic() *traffic { return &traffic{rng: rand.New(rand.NewPCG(1, 2))} }

func (tr *traffic) jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * math.Exp(tr.rng.NormFloat64()*.35))
}

func (tr *traffic) ask(stage, key string, due time.Duration, miss bool) {
	seq := uint64(len(tr.Requests))
	q := evidence.Request{Seq: seq, ID: fmt.Sprintf("r-%06d", seq), Stage: stage, Class: "hit", User: "user-" + key[:1], Key: key, Due: due,
		Sent: due + tr.jitter(400*time.Microsecond), Conns: 1, Status: 200, Outcome: evidence.OK}
	took := tr.jitter(1100 * time.Microsecond)
	if miss {
		q.Class, took = "miss", 300*time.Millisecond+tr.jitter(4*time.Millisecond)
		tr.Jobs = append(tr.Jobs, job{RequestID: q.ID, Key: key, Worker: "upstream-1", From: q.Sent + 2*time.Millisecond, To: q.Sent + took - time.Millisecond})
	}
	q.End = q.Sent + took
	tr.Requests = append(tr.Requests, q)
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

func withHeadlines(v check.Verdict, all ...check.Headline) check.Verdict {
	v.Headlines = all
	return v
}

func nothingDropped(requests float64) check.Verdict {
	return withHeadlines(samplePass("NothingDropped", fmt.Sprintf("none of %.0f planned requests was dropped", requests),
		map[string]float64{"planned": requests, "dropped": 0, "refused": 0, "allowed_share": 0}), check.Headline{Title: "dropped", Figure: "dropped"})
}

func oncePerKey(keys, avoided, saved float64) check.Verdict {
	return withHeadlines(samplePass("OncePerKey", fmt.Sprintf("%.0f keys were asked for, and as many jobs were done", keys),
		map[string]float64{"keys": keys, "jobs": keys, "jobs_avoided": avoided, "saved_usd": saved}),
		check.Headline{Title: "jobs", Figure: "jobs"}, check.Headline{Title: "jobs avoided", Figure: "jobs_avoided"}, check.Headline{Title: "saved", Figure: "saved_usd"})
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
	tr.Exits = []evidence.Exit{{Node: "app-2", At: at(8912), Code: 0}}
	tr.Injections = []evidence.Injection{{Fault: "term app-2", Kind: evidence.FaultTerm, Target: "app-2", Ordered: at(8000), Healing: at(12000)}}
	recovers := samplePass("RecoversWithin", "requests had recovered after 40 ms; 1000 ms are allowed", map[string]float64{"limit_ms": 1000})
	recovers.Recovery = &check.RecoveryTimes{Fault: "term app-2", Classes: map[string]float64{"hit": 12, "miss": 40}}
	j := check.Judgement{
		Assumptions: sampleAssumptions(),
		Checks: []check.Verdict{
			nothingDropped(4000),
			oncePerKey(1000, 3000, .552),
			samplePass("RightAnswer", "every answer is the one that was asked for", map[string]float64{"answers": 4000, "oldest_ms": 48123.5}),
			samplePass("GaugesReturnToZero", "all gauges were zero within 5 s of the last response", map[string]float64{"high_water": 61, "settled_ms": 212.4}),
			samplePass("CleanExit", "app-2 ended with code 0 after 912 ms, inside its grace period", map[string]float64{"exit_ms": 912, "grace_ms": 10000}),
			recovers,
		},
		Sometimes: []check.Verdict{samplePass("InFlightAtSignal", "17 requests were in flight on app-2 at the signal", map[string]float64{"in_flight": 17})},
		Faults: []check.Fault{{Name: "term app-2", Kind: evidence.FaultTerm, Target: "app-2", Ordered: at(8000), Active: at(8094), Healing: at(12000),
			Healed: at(12583), Confirmed: true}},
	}
	concluded := j.Conclude()
	return draft{plan: samplePlan("sigterm-mid-load", "A replica told to stop while 200 requests arrive per second drops none of them and exits cleanly.",
		evidence.Stage{Name: "steady", Shape: "200/s for 20s", Requests: 4000}), records: tr.records, judgement: &concluded,
		logs: map[string]string{"app-1": "ready\n", "app-2": "ready\nsignal: terminated\n", "balancer-1": "started\n"}}
}

// brokenSigterm is the same against a service that closes its listener before it drains.
func brokenSigterm() draft {
	d := sigterm()
	d.plan.Scenario = "sigterm-mutant"
	var dropped []uint64
	for i := range d.records.Requests {
		q := &d.records.Requests[i]
		if off := q.Due - sampleLoadAt; off < 8*time.Second || off > 8900*time.Millisecond || q.Seq%3 != 1 {
			continue
		}
		dropped = append(dropped, q.Seq)
		if q.Seq%2 == 0 {
			q.Outcome, q.Reason, q.Status = evidence.Ambiguous, "eof", 0
		} else {
			q.Outcome, q.Reason, q.Status = evidence.Failed, "status", 502
		}
		q.End = q.Sent + 230*time.Millisecond
	}
	j := *d.judgement
	j.Checks = slices.Clone(j.Checks)
	j.Checks[0] = withHeadlines(check.Failf(map[string]float64{"planned": 4000, "dropped": float64(len(dropped)), "dropped_share": float64(len(dropped)) / 4000},
		dropped, "%d requests were dropped, the first 5 ms after the signal", len(dropped)), j.Checks[0].Headlines...)
	j.Checks[0].Check = "NothingDropped"
	j.Checks[2] = check.Failf(map[string]float64{"wrong": 3}, dropped[:3], "3 answers are not those that were asked for")
	j.Checks[2].Check = "RightAnswer"
	j.Checks[4] = check.Verdict{Check: "CleanExit", Status: check.Unknown, Reason: "no exit of app-2 was recorded"}
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
		if q := &tr.Requests[k]; k >= 10 && k < 1000 {
			q.Sent += time.Duration(k) * 18 * time.Microsecond
			q.End = sampleLoadAt + 305*time.Millisecond + tr.jitter(20*time.Millisecond)
		}
	}
	tr.Windows, tr.Nodes = sampleWindows(2*time.Second), sampleNodes()
	j := check.Judgement{
		Assumptions: sampleAssumptions(),
		Checks: []check.Verdict{nothingDropped(1100), oncePerKey(10, 1090, 12.2006),
			samplePass("RightAnswer", "every answer is the one that was asked for", map[string]float64{"answers": 1100})},
		Sometimes: []check.Verdict{samplePass("ManyWaited", "990 requests waited on the job of another", map[string]float64{"waited": 990})},
	}
	concluded := j.Conclude()
	return draft{plan: samplePlan("thundering-herd", "A thousand requests at once for ten cold keys cost exactly ten jobs, and every answer is right.",
		evidence.Stage{Name: "herd", Shape: "1,000 at once", Requests: 1000}, evidence.Stage{Name: "trickle", Shape: "50/s for 2s", Requests: 100}),
		records: tr.records, judgement: &concluded, logs: map[string]string{"upstream-1": "10 jobs\n"}}
}

// unconfirmed is a fault that nobody saw take effect.
func unconfirmed() draft {
	d := sigterm()
	d.plan.Scenario, d.plan.Claim = "store-leader-kill", "Killing the leader of the store costs no request and no second job."
	j := *d.judgement
	j.Faults = slices.Clone(j.Faults)
	f := &j.Faults[0]
	f.Name, f.Target, f.Active, f.Healed, f.Confirmed, f.Missing = "kill store-leader", "store-1", 0, 0, false, "no other node was seen in the lead"
	j.Sometimes = append(slices.Clone(j.Sometimes), check.Verdict{Check: "FailedOver", Reason: "no other node was seen in the lead",
		Recovery: &check.RecoveryTimes{Fault: f.Name, Floor: new(1000.0)}})
	j = j.Conclude()
	d.judgement = &j
	return d
}

func sampleRun(t testing.TB, dir string) {
	writeSession(t, dir, evidence.Session{Run: "20260314-092653", Started: epoch(), Seed: 20260314, Driver: "local", NotRun: []evidence.NotRun{
		{Name: "store-node-kill", Claim: "Killing the node of the store's leader costs no cache hit.", Reason: "needs 95 s and the deadline leaves 40 s: run with -timeout 10m"}}})
	for _, d := range []draft{sigterm(), brokenSigterm(), herd(), unconfirmed()} {
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
	r, err := Render(dir, sampleOptions())
	must(t, err)
	if got := r.Status(); got != Fail {
		t.Fatalf("overall %s, want fail: one scenario failed", got)
	}
	if got := tally(r); got != "1 failed, 1 inconclusive, 2 passed, 1 not run" {
		t.Fatalf("tally %q", got)
	}
}
