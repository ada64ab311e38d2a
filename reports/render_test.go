package reports

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// handMade is evidence small enough to be read: three requests, one of them dropped, and one fault.
func handMade(name string, j *check.Judgement) draft {
	at := func(ms int) time.Duration { return 10*time.Second + time.Duration(ms)*time.Millisecond }
	return draft{
		judgement: j,
		logs:      map[string]string{"app-1": "ready\n"},
		plan: evidence.Plan{Scenario: name, Claim: "Nothing is dropped when " + name + " happens.", Seed: 7, Driver: "local",
			Versions: map[string]string{"store": "8.0.2", "go": "1.26.0"}, Load: []evidence.Stage{{Name: "steady", Shape: "2/s for 1s", Requests: 3}}},
		records: records{
			Requests: []evidence.Request{
				{Seq: 0, ID: "r-0", Stage: "steady", Class: "read", User: "ann", Key: "k-1", Due: at(0), Sent: at(1), End: at(301), Conns: 1, Status: 200, Outcome: evidence.OK},
				{Seq: 1, ID: "r-1", Stage: "steady", Class: "read", User: "ann", Key: "k-1", Due: at(500), Sent: at(502), End: at(504), Conns: 1, Status: 502, Outcome: evidence.Failed, Reason: "status"},
				{Seq: 2, ID: "r-2", Stage: "steady", Due: at(1000), Outcome: evidence.Unsent},
			},
			Jobs:       []job{{RequestID: "r-0", Key: "k-1", Worker: "worker-1", From: at(2), To: at(300)}},
			Exits:      []evidence.Exit{{Node: "app-1", At: at(480), Code: 137}},
			Injections: []evidence.Injection{{Fault: "kill app", Kind: evidence.FaultKill, Target: "app-1", Ordered: at(450), Healing: at(900)}},
			Windows:    []evidence.Window{{Name: evidence.PhaseStart, To: at(0)}, {Name: evidence.PhaseLoad, From: at(0), To: at(1500)}},
			Nodes: []evidence.Node{{Name: "app-1", Role: "app", Addr: "198.18.0.2", Subject: true},
				{Name: "store-1", Role: "store", Addr: "198.18.0.3"}},
		},
	}
}

func killed(confirmed bool) check.Fault {
	f := check.Fault{Name: "kill app", Kind: evidence.FaultKill, Target: "app-1", Ordered: 10*time.Second + 450*time.Millisecond, Healing: 10*time.Second + 900*time.Millisecond}
	if !confirmed {
		f.Missing = "nobody saw the container exit"
		return f
	}
	f.Confirmed, f.Active, f.Healed = true, 10*time.Second+480*time.Millisecond, 11*time.Second+100*time.Millisecond
	return f
}

func judged(status check.Status, faults ...check.Fault) *check.Judgement {
	v := check.Verdict{Check: "NothingDropped", Status: status, Reason: "1 of 3 requests was dropped", Requests: []uint64{1, 2, 99},
		Figures: map[string]float64{"dropped": 1, "first_ms": 504.25}, Headlines: []check.Headline{{Title: "dropped", Figure: "dropped"}}}
	if status != check.Fail {
		v.Reason, v.Requests, v.Figures["dropped"] = "every request was answered", nil, 0
	}
	once := check.Verdict{Check: "OncePerKey", Status: check.Pass, Reason: "one job was done", Figures: map[string]float64{"jobs": 1, "saved_usd": .000184},
		Headlines: []check.Headline{{Title: "jobs", Figure: "jobs"}, {Title: "saved", Figure: "saved_usd"}, {Title: "lost", Figure: "not_there"}}}
	recovers := check.Verdict{Check: "RecoversWithin", Status: check.Pass, Reason: "requests had recovered after 20 ms", Figures: map[string]float64{"limit_ms": 5000},
		Recovery: &check.RecoveryTimes{Fault: "kill app", Floor: new(500.0), Classes: map[string]float64{"read": 20}}}
	j := check.Judgement{Checks: []check.Verdict{v, once, recovers}, Faults: faults,
		Assumptions: []check.Verdict{{Check: "LoadKeptSchedule", Status: check.Pass, Reason: "sent in time", Figures: map[string]float64{"lag_p99_ms": 2}}},
		Sometimes: []check.Verdict{{Check: "InFlight", Status: check.Pass, Reason: "1 request was in flight"},
			{Check: "FailedOver", Status: check.Pass, Reason: "app-2 led 820 ms later", Figures: map[string]float64{"failover_ms": 820.5},
				Recovery: &check.RecoveryTimes{Fault: "kill app", Failover: new(820.5), Floor: new(500.0)}}}}.Conclude()
	return &j
}

// goldenRun has a scenario of every status, and every way in which a folder can be short of something.
func goldenRun(t testing.TB) string {
	dir := t.TempDir()
	writeSession(t, dir, evidence.Session{Run: "golden", Started: epoch(), Seed: 7, Driver: "local",
		NotRun: []evidence.NotRun{{Name: "not-run", Claim: "Nothing is dropped when it is not run.", Reason: "needs 40 s, the deadline leaves 10 s"}}})
	torn := handMade("torn", nil)
	torn.torn = true
	for _, d := range []draft{
		handMade("pass", judged(check.Pass, killed(true))),
		handMade("fail", judged(check.Fail, killed(true))),
		handMade("unconfirmed", judged(check.Pass, killed(false))),
		handMade("unjudged", nil),
		torn,
		handMade("damaged", judged(check.Pass, killed(true))),
	} {
		d.write(t, filepath.Join(dir, d.plan.Scenario))
	}
	damage(t, filepath.Join(dir, "damaged", evidence.Dir, jobs.Name()+".ndjson"))
	for name, plan := range map[string]string{"unreadable": "{\"format\": 2,\n", "of-another-version": "{\"format\": 1}\n"} {
		must(t, os.MkdirAll(filepath.Join(dir, name), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, name, evidence.PlanFile), []byte(plan), 0o644))
	}
	return dir
}

// damage makes each record of a file one that nobody would have written.
func damage(t testing.TB, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, bytes.ReplaceAll(b, []byte("{"), []byte("[")), 0o644))
}

var (
	style  = regexp.MustCompile(`(?s)<style>.*?</style>`)
	script = regexp.MustCompile(`(?s)<script>.*?</script>`)
	policy = regexp.MustCompile(`content="default-src[^"]*"`)
)

// withoutLook leaves out what is the same on every page, so that a golden page shows what the evidence made of it.
func withoutLook(b []byte) []byte {
	b = style.ReplaceAll(b, []byte("<style>…</style>"))
	b = script.ReplaceAll(b, []byte("<script>…</script>"))
	return policy.ReplaceAll(b, []byte(`content="…"`))
}

func rendered(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, name := range []string{indexFile, resultsFile, junitFile, summaryFile} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		files[name] = b
	}
	pages, err := filepath.Glob(filepath.Join(dir, "*", pageFile))
	must(t, err)
	for _, page := range pages {
		b, err := os.ReadFile(page)
		must(t, err)
		files[filepath.Base(filepath.Dir(page))+".html"] = b
	}
	return files
}

func TestGolden(t *testing.T) {
	dir := goldenRun(t)
	_, err := Render(dir, sampleOptions())
	must(t, err)
	for name, got := range rendered(t, dir) {
		t.Run(name, func(t *testing.T) {
			got, path := withoutLook(got), filepath.Join("testdata", "golden", name)
			if *update {
				must(t, os.MkdirAll(filepath.Dir(path), 0o755))
				must(t, os.WriteFile(path, got, 0o644))
			}
			want, err := os.ReadFile(path)
			must(t, err)
			if !bytes.Equal(got, want) {
				t.Errorf("differs from %s; run with -update and look at the difference\n%s", path, got)
			}
		})
	}
}

func TestSameEvidenceSameBytes(t *testing.T) {
	dir := t.TempDir()
	sampleRun(t, dir)
	_, err := Render(dir, sampleOptions())
	must(t, err)
	first := rendered(t, dir)
	for _, d := range []string{"sigterm-mutant", "thundering-herd"} { // alone, a page is the same as within its run
		must(t, os.Remove(filepath.Join(dir, d, pageFile)))
		must(t, RenderScenario(filepath.Join(dir, d), sampleOptions()))
	}
	_, err = Render(dir, sampleOptions())
	must(t, err)
	for name, b := range rendered(t, dir) {
		if !bytes.Equal(b, first[name]) {
			t.Errorf("%s: rendered twice, two results", name)
		}
	}
}

func TestRenderScenarioMatchesRender(t *testing.T) {
	dir := goldenRun(t)
	_, err := Render(dir, sampleOptions())
	must(t, err)
	within := rendered(t, dir)
	for _, name := range []string{"pass", "fail", "unjudged", "torn", "damaged", "unreadable", "of-another-version"} {
		must(t, RenderScenario(filepath.Join(dir, name), sampleOptions()))
	}
	for name, b := range rendered(t, dir) {
		if !bytes.Equal(b, within[name]) {
			t.Errorf("%s differs when it is rendered alone", name)
		}
	}
}

func TestRenderScenarioOutsideARun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "alone")
	handMade("alone", judged(check.Pass)).write(t, dir)
	must(t, RenderScenario(dir, Options{}))
	b, err := os.ReadFile(filepath.Join(dir, pageFile))
	must(t, err)
	if bytes.Contains(b, []byte("index.html")) {
		t.Error("links to an overview that does not exist")
	}
	if err := RenderScenario(t.TempDir(), Options{}); !errors.Is(err, evidence.ErrNotARun) {
		t.Errorf("a folder without a plan: %v, want ErrNotARun", err)
	}
}

func TestNoRun(t *testing.T) {
	if _, err := Render(t.TempDir(), Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder without run.json: %v, want ErrNotExist", err)
	}
}

func TestEmptyRun(t *testing.T) {
	dir := t.TempDir()
	writeSession(t, dir, evidence.Session{Run: "empty", Started: epoch()})
	r, err := Render(dir, sampleOptions())
	must(t, err)
	if r.Status() != Skipped {
		t.Errorf("status %s: a run of nothing has passed nothing", r.Status())
	}
	for name, b := range rendered(t, dir) {
		if bytes.Contains(b, []byte("null")) || bytes.Contains(b, []byte("PASS")) {
			t.Errorf("%s: %s", name, b)
		}
	}
}

func TestScenarioWithoutRequests(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "idle")
	draft{plan: evidence.Plan{Scenario: "idle"}}.write(t, dir)
	must(t, RenderScenario(dir, Options{}))
	b, err := os.ReadFile(filepath.Join(dir, pageFile))
	must(t, err)
	if bytes.Contains(b, []byte("<script")) {
		t.Error("charts of nothing")
	}
}

func TestStatuses(t *testing.T) {
	dir := goldenRun(t)
	r, err := Render(dir, sampleOptions())
	must(t, err)
	want := map[string]Status{"pass": Pass, "fail": Fail, "unconfirmed": Unknown, "unjudged": Unknown, "torn": Unknown, "damaged": Unknown,
		"unreadable": Unknown, "of-another-version": Unknown, "not-run": Skipped}
	for _, s := range r.Scenarios {
		if s.Status != want[s.Name] {
			t.Errorf("%s: %s, want %s", s.Name, s.Status, want[s.Name])
		}
		if s.Reason == "" {
			t.Errorf("%s gives no reason", s.Name)
		}
	}
	if len(r.Scenarios) != len(want) {
		t.Errorf("%d scenarios, want %d", len(r.Scenarios), len(want))
	}
}

func TestOverall(t *testing.T) {
	for _, c := range []struct {
		name string
		all  []Status
		want Status
	}{
		{"nothing", nil, Skipped},
		{"all pass", []Status{Pass, Pass}, Pass},
		{"what was not run is not proven", []Status{Pass, Skipped}, Unknown},
		{"none run", []Status{Skipped}, Skipped},
		{"inconclusive outweighs pass", []Status{Pass, Unknown, Skipped}, Unknown},
		{"failure outweighs all", []Status{Unknown, Fail, Pass}, Fail},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r Results
			for _, s := range c.all {
				r.Scenarios = append(r.Scenarios, Scenario{Status: s})
			}
			if got := r.Status(); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// TestResultsShape holds results.json to the names that others rely on.
func TestResultsShape(t *testing.T) {
	dir := goldenRun(t)
	_, err := Render(dir, sampleOptions())
	must(t, err)
	var top map[string]any
	must(t, evidence.ReadJSON(filepath.Join(dir, resultsFile), &top))
	hasKeys(t, "results", top, "run", "started", "seed", "driver", "versions", "scenarios")
	for _, s := range top["scenarios"].([]any) {
		s := s.(map[string]any)
		hasKeys(t, "scenario", s, "name", "claim", "status", "reason", "seconds", "requests", "lag_ms", "checks", "faults", "recoveries")
		hasKeys(t, "requests", s["requests"].(map[string]any), "planned", "ok", "refused", "failed", "ambiguous", "aborted", "unsent")
		hasKeys(t, "lag_ms", s["lag_ms"].(map[string]any), "p50", "p99", "max")
		for _, c := range s["checks"].([]any) {
			hasKeys(t, "check", c.(map[string]any), "kind", "name", "status", "reason", "figures")
		}
		for _, f := range s["faults"].([]any) {
			hasKeys(t, "fault", f.(map[string]any), "name", "target", "ordered", "active", "healing", "healed", "confirmed")
		}
		for _, r := range s["recoveries"].([]any) {
			hasKeys(t, "recovery", r.(map[string]any), "fault", "target", "dependency", "failover_ms", "floor_ms", "classes_ms", "since_heal")
		}
	}
}

func hasKeys(t *testing.T, what string, m map[string]any, want ...string) {
	t.Helper()
	var got []string
	for k := range m {
		got = append(got, k)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s has %s, want %s", what, strings.Join(got, " "), strings.Join(want, " "))
	}
}

func TestResultsReadBack(t *testing.T) {
	dir := goldenRun(t)
	r, err := Render(dir, sampleOptions())
	must(t, err)
	var back Results
	must(t, evidence.ReadJSON(filepath.Join(dir, resultsFile), &back))
	a, _ := json.Marshal(r)
	b, _ := json.Marshal(back)
	if !bytes.Equal(a, b) {
		t.Errorf("written and read back:\n%s\n%s", a, b)
	}
}
