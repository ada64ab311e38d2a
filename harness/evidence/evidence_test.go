package evidence_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func recorder(t testing.TB, dir string) *evidence.Recorder {
	t.Helper()
	rec, err := evidence.NewRecorder(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := rec.WritePlan(evidence.Plan{Scenario: "small"}); err != nil {
		t.Fatal(err)
	}
	return rec
}

// everything records one record of each kind with every field set.
func everything(rec *evidence.Recorder) {
	for _, k := range kinds() {
		k.put(rec)
	}
}

// collect reads everything back from a run, by kind.
func collect(run *evidence.Run) map[string]any {
	all := map[string]any{}
	for _, k := range kinds() {
		all[k.name] = k.of(run)
	}
	return all
}

// saved is the folder of a small complete run.
func saved(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	rec := recorder(t, dir)
	everything(rec)
	everything(rec)
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func open(t *testing.T, dir string) *evidence.Run {
	t.Helper()
	run, err := evidence.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func TestRoundTrip(t *testing.T) {
	dir := t.TempDir()
	epoch := time.Now()
	rec, err := evidence.NewRecorder(dir, epoch)
	if err != nil {
		t.Fatal(err)
	}
	plan := evidence.Plan{Scenario: "round-trip", Claim: "nothing is lost", Seed: math.MaxUint64, Driver: "none",
		Params: map[string]time.Duration{evidence.ParamGrace: time.Second}, Versions: map[string]string{"store": "8.0.2"},
		Load: []evidence.Stage{{Name: "s", Shape: "1/s", Requests: 1}}, Allow: []evidence.Allowance{{To: 1, Share: 0.5, Classes: []string{"slow"}}},
		Faults: []evidence.Step{{Fault: "kill x", Kind: evidence.FaultKill, For: 2}}}
	if err := rec.WritePlan(plan); err != nil {
		t.Fatal(err)
	}
	everything(rec)
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	run := open(t, dir)
	if !run.Complete {
		t.Error("a closed recording is not complete")
	}
	for _, k := range kinds() {
		if got := k.of(run); !reflect.DeepEqual(got, k.filled) {
			t.Errorf("%s: read %+v\nwant %+v", k.name, got, k.filled)
		}
	}
	if err := run.Err(); err != nil {
		t.Error(err)
	}
	if !run.Plan.Epoch.Equal(epoch) {
		t.Errorf("epoch %s, want %s", run.Plan.Epoch, epoch)
	}
	run.Plan.Epoch, plan.Format = time.Time{}, evidence.Format
	if !reflect.DeepEqual(run.Plan, plan) {
		t.Errorf("plan %+v\nwant %+v", run.Plan, plan)
	}
}

func TestDamageIsNoticed(t *testing.T) {
	file := func(name string) func(string) string {
		return func(dir string) string { return filepath.Join(dir, "evidence", name) }
	}
	requests, manifest := file("requests.ndjson"), file("manifest.json")
	format := func(to string) func(string) error {
		return func(dir string) error {
			return edit(filepath.Join(dir, "plan.json"), func(s string) string { return strings.Replace(s, `"format": 2`, `"format": `+to, 1) })
		}
	}
	for _, c := range []struct {
		name     string
		damage   func(dir string) error
		complete bool
		err      error // that Open must wrap, or Err once everything was read
	}{
		{"none", func(string) error { return nil }, true, nil},
		{"last line cut", func(dir string) error { return truncate(requests(dir), 5) }, false, nil},
		{"last record gone", func(dir string) error {
			return edit(requests(dir), func(s string) string { return s[:strings.Index(s, "\n")+1] })
		}, false, nil},
		{"record too many", func(dir string) error {
			return edit(requests(dir), func(s string) string { return s + s[strings.Index(s, "\n")+1:] })
		}, false, nil},
		{"file gone", func(dir string) error { return os.Remove(requests(dir)) }, false, nil},
		{"file too many", func(dir string) error { return os.WriteFile(file("strangers.ndjson")(dir), []byte("{}\n"), 0o644) }, false, nil},
		{"line cut behind the last", func(dir string) error { return edit(requests(dir), func(s string) string { return s + "{" }) }, false, nil},
		{"of a build that knew no log defects", func(dir string) error {
			older := func(s string) string { return regexp.MustCompile(`"logdefects": \d+,?`).ReplaceAllString(s, "") }
			return errors.Join(edit(manifest(dir), older), os.Remove(file("logdefects.ndjson")(dir)))
		}, true, nil},
		{"file empty", func(dir string) error { return os.Truncate(requests(dir), 0) }, false, nil},
		{"no manifest", func(dir string) error { return os.Remove(manifest(dir)) }, false, nil},
		{"manifest is no JSON", func(dir string) error { return os.WriteFile(manifest(dir), []byte("{"), 0o644) }, false, evidence.ErrDamaged},
		{"a line is no JSON", func(dir string) error { return edit(requests(dir), replaceLine("nonsense")) }, true, evidence.ErrDamaged},
		{"a line too many is no JSON", func(dir string) error { return edit(requests(dir), func(s string) string { return "nonsense\n" + s }) }, false, evidence.ErrDamaged},
		{"a line is empty", func(dir string) error { return edit(requests(dir), replaceLine("")) }, true, evidence.ErrDamaged},
		{"a field is of another type", func(dir string) error { return edit(requests(dir), replaceLine(`{"seq":"one"}`)) }, true, evidence.ErrDamaged},
		{"plan gone", func(dir string) error { return os.Remove(filepath.Join(dir, "plan.json")) }, false, evidence.ErrNotARun},
		{"plan is no JSON", func(dir string) error { return os.WriteFile(filepath.Join(dir, "plan.json"), nil, 0o644) }, false, evidence.ErrDamaged},
		{"format of the future", format("3"), false, evidence.ErrFormat},
		{"format of the past", format("1"), false, evidence.ErrFormat},
		{"all gone", os.RemoveAll, false, evidence.ErrNotARun},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := saved(t)
			if err := c.damage(dir); err != nil {
				t.Fatal(err)
			}
			run, err := evidence.Open(dir)
			if err == nil {
				collect(run)
				if err = run.Err(); run.Complete != c.complete {
					t.Errorf("complete %t", run.Complete)
				}
			}
			if !errors.Is(err, c.err) {
				t.Errorf("error %v, want %v", err, c.err)
			}
		})
	}
}

// TestFormatsAreNamed, so that whoever has evidence of an older build knows which one reads it.
func TestFormatsAreNamed(t *testing.T) {
	dir := saved(t)
	if err := edit(filepath.Join(dir, "plan.json"), func(s string) string { return strings.Replace(s, `"format": 2`, `"format": 1`, 1) }); err != nil {
		t.Fatal(err)
	}
	if _, err := evidence.Open(dir); err == nil || !strings.Contains(err.Error(), "format 1: this build reads 2") {
		t.Errorf("%v", err)
	}
}

// replaceLine puts another line in the place of the first.
func replaceLine(with string) func(string) string {
	return func(s string) string { return with + s[strings.Index(s, "\n"):] }
}

func truncate(path string, by int64) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return os.Truncate(path, info.Size()-by)
}

func edit(path string, f func(string) string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(f(string(b))), 0o644)
}

// TestConcurrentRecording: no record is lost or torn, whoever writes when, and none follows the manifest.
func TestConcurrentRecording(t *testing.T) {
	const writers, each = 8, 500
	dir := t.TempDir()
	rec := recorder(t, dir)
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				evidence.Requests.Put(rec, evidence.Request{Seq: uint64(w*each + i), ID: fmt.Sprint(w, "-", i)})
				evidence.Samples.Put(rec, evidence.Sample{Node: fmt.Sprint(w), Values: map[string]float64{"x": float64(i)}})
			}
		})
	}
	all.Wait()
	var late sync.WaitGroup
	late.Go(func() { evidence.Requests.Put(rec, evidence.Request{Seq: writers * each}) }) // a straggler, before or after the end
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	late.Wait()
	run := open(t, dir)
	if !run.Complete {
		t.Error("not complete")
	}
	next := uint64(0)
	for _, q := range evidence.Requests.Each(run) {
		if q.Seq != next {
			t.Fatalf("request %d, want %d", q.Seq, next)
		}
		next++
	}
	if next < writers*each {
		t.Errorf("%d requests", next)
	}
}

// TestRecordsReachTheDisk while the run goes on: a killed harness leaves what it saw.
func TestRecordsReachTheDisk(t *testing.T) {
	dir := t.TempDir()
	rec := recorder(t, dir)
	evidence.Exits.Put(rec, evidence.Exit{Node: "x"})
	for n := 0; n == 0; time.Sleep(20 * time.Millisecond) {
		n = len(evidence.Exits.Of(open(t, dir)))
	}
	if open(t, dir).Complete {
		t.Error("a recording that goes on is complete")
	}
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestCloseReportsALostRecord(t *testing.T) {
	rec, err := evidence.NewRecorder(t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	evidence.Samples.Put(rec, evidence.Sample{Values: map[string]float64{"x": math.NaN()}}) // JSON has no such number
	if err := rec.Close(); err == nil || !strings.Contains(err.Error(), "samples.ndjson") {
		t.Errorf("%v", err)
	}
}

func TestEvidenceIsNotOverwritten(t *testing.T) {
	dir := saved(t)
	before := collect(open(t, dir))
	if _, err := evidence.NewRecorder(dir, time.Now()); err == nil {
		t.Fatal("a second recorder opened the same folder")
	}
	if got := collect(open(t, dir)); !reflect.DeepEqual(got, before) {
		t.Error("the evidence changed")
	}
}

func TestSince(t *testing.T) {
	epoch := time.Unix(1000, 0)
	rec, err := evidence.NewRecorder(t.TempDir(), epoch)
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Close()
	if got := rec.Since(time.Unix(1002, 5)); got != 2*time.Second+5 {
		t.Errorf("%s", got)
	}
	if !rec.Epoch().Equal(epoch) {
		t.Errorf("%s", rec.Epoch())
	}
	if now := rec.Now(); rec.Since(time.Now()) < now {
		t.Error("time ran backwards")
	}
}

// TestOrder: a run has records by time, requests by number and nodes by name, whatever the order of recording, and finds them.
func TestOrder(t *testing.T) {
	run := evidence.New(evidence.Plan{Params: map[string]time.Duration{"p": 3}},
		evidence.Requests.With(evidence.Request{Seq: 2}, evidence.Request{Seq: 0}, evidence.Request{Seq: 1}),
		evidence.Injections.With(evidence.Injection{Fault: "kill b", Ordered: 9}, evidence.Injection{Fault: "kill a", Ordered: 3}, evidence.Injection{Fault: "kill b", Ordered: 5}),
		evidence.Exits.With(evidence.Exit{Node: "a", At: 9}, evidence.Exit{Node: "b", At: 6}, evidence.Exit{Node: "a", At: 5}),
		evidence.Windows.With(evidence.Window{Name: "load", From: 7, To: 9}, evidence.Window{Name: "start", To: 7}),
		evidence.Nodes.With(evidence.Node{Name: "b"}, evidence.Node{Name: "c", Subject: true}, evidence.Node{Name: "a", Subject: true}))
	var seqs []uint64
	for _, q := range evidence.Requests.Each(run) {
		seqs = append(seqs, q.Seq)
	}
	if !slices.Equal(seqs, []uint64{0, 1, 2}) {
		t.Errorf("requests %v", seqs)
	}
	if in, ok := run.Injection("kill b"); !ok || in.Ordered != 5 {
		t.Errorf("first kill of b: %+v", in)
	}
	if _, ok := run.Injection("kill c"); ok {
		t.Error("found a fault that never was")
	}
	if w, ok := run.Window("load"); !ok || w.Span() != (evidence.Span{From: 7, To: 9}) {
		t.Errorf("window %+v", w)
	}
	if _, ok := run.Window("none"); ok {
		t.Error("found a window that never was")
	}
	if n, ok := run.Node("a"); !ok || !n.Subject {
		t.Errorf("node %+v", n)
	}
	if _, ok := run.Node("d"); ok {
		t.Error("found a node that never was")
	}
	if all := run.Subjects(); len(all) != 2 || all[0].Name != "a" || all[1].Name != "c" {
		t.Errorf("subjects %+v", all)
	}
	if e, ok := run.ExitOf("a", 6); !ok || e.At != 9 {
		t.Errorf("exit %+v", e)
	}
	if _, ok := run.ExitOf("a", 10); ok {
		t.Error("found an exit that never was")
	}
	if d, ok := run.Param("p"); !ok || d != 3 {
		t.Errorf("param %s", d)
	}
	if _, ok := run.Param("q"); ok {
		t.Error("found a param that never was")
	}
}

// TestInForce: a fault is in force until the moment before its heal is ordered, and may be felt for longer.
func TestInForce(t *testing.T) {
	healed, never := evidence.Injection{Ordered: 3, Healing: 8}, evidence.Injection{Ordered: 3}
	if in := healed.InForce(); in.Holds(2) || !in.Holds(3) || !in.Holds(7) || in.Holds(8) {
		t.Errorf("in force in %v", in)
	}
	if after := healed.Afterwards(); after.Holds(7) || !after.Holds(8) || !after.Holds(evidence.Forever) {
		t.Errorf("afterwards in %v", after)
	}
	if felt := healed.Felt(2); felt.Holds(2) || !felt.Holds(3) || !felt.Holds(10) || felt.Holds(11) {
		t.Errorf("felt in %v", felt)
	}
	if felt := never.Felt(2); felt.Holds(2) || !felt.Holds(evidence.Forever) {
		t.Errorf("felt in %v", felt)
	}
	if in := never.InForce(); !in.Holds(evidence.Forever) {
		t.Errorf("in force in %v", in)
	}
	if after := never.Afterwards(); after.Holds(0) || after.Holds(8) {
		t.Errorf("afterwards in %v", after)
	}
}

// TestSaw: what observers said is found by node, by source and by time.
func TestSaw(t *testing.T) {
	saw := func(at time.Duration, source, node, what string) evidence.Observation {
		return evidence.Observation{At: at, Source: source, Node: node, What: what}
	}
	run := evidence.New(evidence.Plan{}, evidence.Observations.With(saw(5, "roles", "b", "leader"), saw(1, "roles", "a", "leader"), saw(2, "ready", "a", "up"),
		saw(3, "roles", "a", "replica"), saw(4, "balancer", "a", "up"), saw(9, "roles", "c", "leader"),
		saw(10, evidence.SourceProbe, "notes", evidence.ProbeCollected), saw(10, evidence.SourceProbe, "others", evidence.ProbeFailed)))
	if o, ok := run.FirstSaw("a", "", "up", 0); !ok || o.At != 2 {
		t.Errorf("%+v", o)
	}
	if o, ok := run.FirstSaw("a", "balancer", "up", 0); !ok || o.At != 4 {
		t.Errorf("%+v", o)
	}
	if _, ok := run.FirstSaw("a", "", "up", 5); ok {
		t.Error("saw what nobody said")
	}
	if o, ok := run.LastSaw("a", "roles", evidence.Span{To: evidence.Forever}); !ok || o.What != "replica" {
		t.Errorf("%+v", o)
	}
	if o, ok := run.LastSaw("a", "roles", evidence.Span{To: 2}); !ok || o.What != "leader" {
		t.Errorf("%+v", o)
	}
	if _, ok := run.LastSaw("a", "roles", evidence.Span{From: 4, To: 9}); ok {
		t.Error("saw what nobody said")
	}
	of := evidence.Injection{Target: "a", Ordered: 1, Healing: 8}
	if o, ok := run.TakenOver(of, "roles", "leader"); !ok || o.Node != "b" {
		t.Errorf("%+v", o)
	}
	of.Healing = 5
	if o, ok := run.TakenOver(of, "roles", "leader"); ok {
		t.Errorf("%+v", o)
	}
	if !run.Collected("notes") || run.Collected("others") {
		t.Error("took a probe that failed for one that looked, or the other way round")
	}
}

func TestWriteJSONReplacesWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.json")
	if err := evidence.WriteJSON(path, []int{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	if err := evidence.WriteJSON(path, math.NaN()); err == nil {
		t.Error("encoded the impossible")
	}
	if err := evidence.WriteJSON(path, []int{4}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil || string(b) != "[\n  4\n]\n" {
		t.Errorf("%q, %v", b, err)
	}
	if left, _ := filepath.Glob(path + ".*"); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

// FuzzOpen: no content of a file makes Open or reading panic, and what is complete and undamaged is what the manifest counted.
func FuzzOpen(f *testing.F) {
	f.Add([]byte(`{"seq":0,"id":"a"}` + "\n"))
	f.Add([]byte(`{"seq":0,"id":"a"}`))
	f.Add([]byte("\n"))
	f.Add([]byte(`{"due_ns":1e3}` + "\n" + `{"seq":-1}` + "\n"))
	f.Add([]byte("null\n[]\n"))
	dir := f.TempDir()
	rec := recorder(f, dir)
	evidence.Requests.Put(rec, evidence.Request{ID: "one"})
	if err := rec.Close(); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		if err := os.WriteFile(filepath.Join(dir, "evidence", "requests.ndjson"), content, 0o644); err != nil {
			t.Fatal(err)
		}
		run, err := evidence.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		n := len(evidence.Requests.Of(run))
		if run.Err() == nil && run.Complete != (n == 1 && content[len(content)-1] == '\n') {
			t.Errorf("%q: complete %t with %d records", content, run.Complete, n)
		}
	})
}
