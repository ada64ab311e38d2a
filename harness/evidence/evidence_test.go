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

// everything is one record of each kind with every field set.
func everything() evidence.Records {
	var r evidence.Records
	v := reflect.ValueOf(&r).Elem()
	for i := range v.NumField() {
		record := reflect.New(v.Field(i).Type().Elem()).Elem()
		fill(record)
		v.Field(i).Set(reflect.Append(v.Field(i), record))
	}
	return r
}

func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.String:
		v.SetString("<a&b>\n\"ü\"")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(0.1)
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]float64{`x{l="1"}`: -2.5}))
	case reflect.Uint64:
		v.SetUint(1<<53 - 1)
	default:
		v.SetInt(1<<53 - 1) // the largest integer that a double holds with all below it
	}
}

func record(rec *evidence.Recorder, r evidence.Records) {
	each(r.Calls, rec.Call)
	each(r.Upstream, rec.Upstream)
	each(r.Hops, rec.Hop)
	each(r.Rows, rec.Row)
	each(r.Samples, rec.Sample)
	each(r.Exits, rec.Exit)
	each(r.Injections, rec.Injection)
	each(r.Observations, rec.Observation)
	each(r.Windows, rec.Window)
	each(r.Nodes, rec.Node)
	each(r.Leases, rec.Lease)
	each(r.LogLines, rec.LogLine)
}

func each[T any](s []T, f func(T)) {
	for _, v := range s {
		f(v)
	}
}

// collect reads everything back from a run.
func collect(run *evidence.Run) evidence.Records {
	return evidence.Records{Calls: slices.Collect(run.Calls()), Upstream: slices.Collect(run.Upstream()), Hops: slices.Collect(run.Hops()),
		Rows: slices.Collect(run.Rows()), Samples: slices.Collect(run.Samples()), Exits: slices.Collect(run.Exits()),
		Injections: slices.Collect(run.Injections()), Observations: slices.Collect(run.Observations()),
		Windows: slices.Collect(run.Windows()), Nodes: slices.Collect(run.Nodes()),
		Leases: slices.Collect(run.Leases()), LogLines: slices.Collect(run.LogLines())}
}

// saved is the folder of a small complete run.
func saved(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	rec, err := evidence.NewRecorder(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := rec.WritePlan(evidence.Plan{Scenario: "small"}); err != nil {
		t.Fatal(err)
	}
	record(rec, everything())
	record(rec, everything())
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
		Params: map[string]time.Duration{evidence.ParamLease: time.Second}, Versions: map[string]string{"redis": "8.0.2"},
		Load: []evidence.Stage{{Name: "s", Shape: "1/s", Requests: 1}}, Allow: []evidence.Allowance{{To: 1, Share: 0.5}}, Faults: []evidence.Step{{Fault: "kill x", For: 2}}}
	if err := rec.WritePlan(plan); err != nil {
		t.Fatal(err)
	}
	want := everything()
	record(rec, want)
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	run := open(t, dir)
	if !run.Complete {
		t.Error("a closed recording is not complete")
	}
	if got := collect(run); !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v\nwant %+v", got, want)
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
	calls, manifest := file("calls.ndjson"), file("manifest.json")
	for _, c := range []struct {
		name     string
		damage   func(dir string) error
		complete bool
		err      error // that Open must wrap
	}{
		{"none", func(string) error { return nil }, true, nil},
		{"last line cut", func(dir string) error { return truncate(calls(dir), 5) }, false, nil},
		{"last record gone", func(dir string) error {
			return edit(calls(dir), func(s string) string { return s[:strings.Index(s, "\n")+1] })
		}, false, nil},
		{"record too many", func(dir string) error {
			return edit(calls(dir), func(s string) string { return s + s[strings.Index(s, "\n")+1:] })
		}, false, nil},
		{"file gone", func(dir string) error { return os.Remove(calls(dir)) }, false, nil},
		{"leases gone", func(dir string) error { return os.Remove(file("leases.ndjson")(dir)) }, false, nil},
		{"of a build that knew neither leases nor log lines", func(dir string) error {
			older := func(s string) string {
				return regexp.MustCompile(`"(leases|loglines)": \d+,?`).ReplaceAllString(s, "")
			}
			return errors.Join(edit(manifest(dir), older), os.Remove(file("leases.ndjson")(dir)), os.Remove(file("loglines.ndjson")(dir)))
		}, true, nil},
		{"file empty", func(dir string) error { return os.Truncate(calls(dir), 0) }, false, nil},
		{"no manifest", func(dir string) error { return os.Remove(manifest(dir)) }, false, nil},
		{"manifest is no JSON", func(dir string) error { return os.WriteFile(manifest(dir), []byte("{"), 0o644) }, false, evidence.ErrDamaged},
		{"a line is no JSON", func(dir string) error { return edit(calls(dir), func(s string) string { return "nonsense\n" + s }) }, false, evidence.ErrDamaged},
		{"a line is empty", func(dir string) error { return edit(calls(dir), func(s string) string { return "\n" + s }) }, false, evidence.ErrDamaged},
		{"plan gone", func(dir string) error { return os.Remove(filepath.Join(dir, "plan.json")) }, false, evidence.ErrNotARun},
		{"plan is no JSON", func(dir string) error { return os.WriteFile(filepath.Join(dir, "plan.json"), nil, 0o644) }, false, evidence.ErrDamaged},
		{"format of the future", func(dir string) error {
			return edit(filepath.Join(dir, "plan.json"), func(s string) string { return strings.Replace(s, `"format": 1`, `"format": 2`, 1) })
		}, false, evidence.ErrFormat},
		{"all gone", os.RemoveAll, false, evidence.ErrNotARun},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := saved(t)
			if err := c.damage(dir); err != nil {
				t.Fatal(err)
			}
			run, err := evidence.Open(dir)
			switch {
			case c.err != nil && errors.Is(err, c.err):
			case c.err != nil || err != nil:
				t.Errorf("error %v, want %v", err, c.err)
			case run.Complete != c.complete:
				t.Errorf("complete %t", run.Complete)
			}
		})
	}
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

// TestErrorsNameTheLine: whoever has to mend a file by hand learns where.
func TestErrorsNameTheLine(t *testing.T) {
	dir := saved(t)
	path := filepath.Join(dir, "evidence", "hops.ndjson")
	if err := edit(path, func(s string) string { return s + "{\n" }); err != nil {
		t.Fatal(err)
	}
	if _, err := evidence.Open(dir); err == nil || !strings.Contains(err.Error(), "hops.ndjson: line 3") {
		t.Errorf("%v", err)
	}
}

// TestConcurrentRecording: no record is lost or torn, whoever writes when, and none follows the manifest.
func TestConcurrentRecording(t *testing.T) {
	const writers, each = 8, 500
	dir := t.TempDir()
	rec, err := evidence.NewRecorder(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := rec.WritePlan(evidence.Plan{}); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				rec.Call(evidence.Call{Seq: uint64(w*each + i), ID: fmt.Sprint(w, "-", i)})
				rec.Sample(evidence.Sample{Node: fmt.Sprint(w), Values: map[string]float64{"x": float64(i)}})
			}
		})
	}
	all.Wait()
	var late sync.WaitGroup
	late.Go(func() { rec.Call(evidence.Call{Seq: writers * each}) }) // a straggler, before or after the end
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	late.Wait()
	run := open(t, dir)
	if !run.Complete {
		t.Error("not complete")
	}
	next := uint64(0)
	for c := range run.Calls() {
		if c.Seq != next {
			t.Fatalf("call %d, want %d", c.Seq, next)
		}
		next++
	}
	if next < writers*each {
		t.Errorf("%d calls", next)
	}
}

// TestRecordsReachTheDisk while the run goes on: a killed harness leaves what it saw.
func TestRecordsReachTheDisk(t *testing.T) {
	dir := t.TempDir()
	rec, err := evidence.NewRecorder(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := rec.WritePlan(evidence.Plan{}); err != nil {
		t.Fatal(err)
	}
	rec.Exit(evidence.Exit{Node: "x"})
	for n := 0; n == 0; time.Sleep(20 * time.Millisecond) {
		n = len(slices.Collect(open(t, dir).Exits()))
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
	rec.Sample(evidence.Sample{Values: map[string]float64{"x": math.NaN()}}) // JSON has no such number
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

// TestOrder: a run yields records by time, calls by number and nodes by name, whatever the order of recording.
func TestOrder(t *testing.T) {
	run := evidence.New(evidence.Plan{Params: map[string]time.Duration{"p": 3}}, evidence.Records{
		Calls:        []evidence.Call{{Seq: 2}, {Seq: 0}, {Seq: 1}},
		Upstream:     []evidence.Upstream{{ID: "b", Arrived: 2}, {ID: "a", Arrived: 1}},
		Injections:   []evidence.Injection{{Fault: "kill b", Ordered: 9}, {Fault: "kill a", Ordered: 3}, {Fault: "kill b", Ordered: 5}},
		Observations: []evidence.Observation{{At: 4}, {At: 1}},
		Windows:      []evidence.Window{{Name: "load", From: 7, To: 9}, {Name: "start", To: 7}},
		Nodes:        []evidence.Node{{Name: "b"}, {Name: "a", Subject: true}},
	})
	var seqs []uint64
	for c := range run.Calls() {
		seqs = append(seqs, c.Seq)
	}
	if !slices.Equal(seqs, []uint64{0, 1, 2}) {
		t.Errorf("calls %v", seqs)
	}
	if first := slices.Collect(run.Upstream())[0]; first.ID != "a" {
		t.Errorf("upstream begins with %s", first.ID)
	}
	if in, ok := run.Injection("kill b"); !ok || in.Ordered != 5 {
		t.Errorf("first kill of b: %+v", in)
	}
	if _, ok := run.Injection("kill c"); ok {
		t.Error("found a fault that never was")
	}
	if w, ok := run.Window("load"); !ok || w.From != 7 {
		t.Errorf("window %+v", w)
	}
	if _, ok := run.Window("none"); ok {
		t.Error("found a window that never was")
	}
	if n, ok := run.Node("a"); !ok || !n.Subject {
		t.Errorf("node %+v", n)
	}
	if _, ok := run.Node("c"); ok {
		t.Error("found a node that never was")
	}
	if d, ok := run.Param("p"); !ok || d != 3 {
		t.Errorf("param %s", d)
	}
	if _, ok := run.Param("q"); ok {
		t.Error("found a param that never was")
	}
}

func TestKind(t *testing.T) {
	for fault, want := range map[string]string{"kill gateway-1": evidence.FaultKill, "term": evidence.FaultTerm, "": ""} {
		if got := (evidence.Injection{Fault: fault}).Kind(); got != want {
			t.Errorf("%q: %q, want %q", fault, got, want)
		}
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

// FuzzOpen: no content of a file makes Open panic, and what it calls complete is what the manifest counted.
func FuzzOpen(f *testing.F) {
	f.Add([]byte(`{"seq":0,"id":"a"}` + "\n"))
	f.Add([]byte(`{"seq":0,"id":"a"}`))
	f.Add([]byte("\n"))
	f.Add([]byte(`{"due_ns":1e3}` + "\n" + `{"seq":-1}` + "\n"))
	f.Add([]byte("null\n[]\n"))
	dir := f.TempDir()
	rec, err := evidence.NewRecorder(dir, time.Now())
	if err != nil {
		f.Fatal(err)
	}
	rec.Call(evidence.Call{ID: "one"})
	if err := errors.Join(rec.WritePlan(evidence.Plan{}), rec.Close()); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		if err := os.WriteFile(filepath.Join(dir, "evidence", "calls.ndjson"), content, 0o644); err != nil {
			t.Fatal(err)
		}
		run, err := evidence.Open(dir)
		if err != nil {
			return
		}
		n := len(slices.Collect(run.Calls()))
		if run.Complete != (n == 1 && content[len(content)-1] == '\n') {
			t.Errorf("%q: complete %t with %d records", content, run.Complete, n)
		}
	})
}
