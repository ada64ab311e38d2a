package harness_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/fault"
	"github.com/sentinel-chaos/sentinel/harness/load"
	"github.com/sentinel-chaos/sentinel/harness/probe"
)

// fakeDriver runs nothing: its nodes have logs, and signals have no effect on them.
type fakeDriver struct{ logs map[string]string }

func (fakeDriver) Name() string                                 { return "fake" }
func (fakeDriver) Addr(node string) (string, error)             { return "addr-of-" + node, nil }
func (fakeDriver) Prepare(context.Context, []env.Program) error { return nil }
func (fakeDriver) Close(context.Context) error                  { return nil }

func (d fakeDriver) Launch(_ context.Context, s env.Spec) (env.Proc, error) {
	return fakeProc{log: d.logs[s.Name]}, nil
}

type fakeProc struct {
	env.Proc
	log string
}

// Wait: it never ends.
func (fakeProc) Wait(ctx context.Context) (env.Exit, error) {
	<-ctx.Done()
	return env.Exit{}, ctx.Err()
}

func (fakeProc) Signal(context.Context, env.Signal) error { return nil }
func (p fakeProc) Logs(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(p.log)), nil
}

// fakeSystem is a service, what it depends on, and a target that answers everything.
type fakeSystem struct {
	target string
	broken error
	secret string
}

func (s fakeSystem) Start(ctx context.Context, e *env.Env) error {
	for _, spec := range []env.Spec{{Name: "app-1", Role: "app", Subject: true}, {Name: "helper-1", Role: "helper", Program: env.Program{Go: "./helper"}}, {Name: "store-1", Role: "store"}} {
		if _, err := e.Launch(ctx, spec); err != nil {
			return err
		}
	}
	e.SetTarget(env.Target{URL: s.target})
	e.KeepSecret("the token", s.secret)
	return s.broken
}

// watching is a probe that calls the service up and samples it, and whose collection ends like this.
func watching(collect error) probe.Probe {
	return probe.Probe{Name: "fake",
		Watch: func(ctx context.Context, _ *env.Env, rec *evidence.Recorder) error {
			evidence.Observations.Put(rec, evidence.Observation{At: rec.Now(), Source: evidence.SourceReady, Node: "app-1", What: evidence.SawUp})
			for tick := time.NewTicker(100 * time.Millisecond); ; {
				evidence.Samples.Put(rec, evidence.Sample{At: rec.Now(), Node: "app-1", Boot: "1"})
				select {
				case <-ctx.Done():
					tick.Stop()
					return nil
				case <-tick.C:
				}
			}
		},
		Collect: func(context.Context, *env.Env, *evidence.Recorder) error { return collect },
	}
}

// fakeScenario sends 50 requests/s for a second to a server that answers all of them, however long a busy machine takes for that.
func fakeScenario(t *testing.T, faults ...fault.Fault) harness.Scenario {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok, hunter2") }))
	t.Cleanup(server.Close)
	s := harness.Scenario{Name: "fake", Claim: "Nothing is dropped.", System: fakeSystem{target: server.URL},
		Load: load.Profile{Timeout: time.Minute, Stages: []load.Stage{{Name: "steady", Shape: load.Constant(50, time.Second),
			Request: func(uint64, *rand.Rand) load.Request { return load.Request{Method: http.MethodGet, Path: "/"} }}}},
		Probes: []probe.Probe{watching(nil)}, Expect: []check.Check{check.NothingDropped(), check.NoPanics()}}
	for _, f := range faults {
		s.Faults = append(s.Faults, fault.Step{At: 100 * time.Millisecond, For: 200 * time.Millisecond, Fault: f})
	}
	return s
}

// hunted is the log of a node without secrets. Only the service must keep them.
func hunted(node, log string) string {
	if node != "app-1" {
		return log
	}
	return strings.NewReplacer("hunter2", "[secret: the token]", "how deep", "[secret: what clients ask or are told]").Replace(log)
}

// talkative has a service whose clients ask how deep something is, and are told where nodes are.
func talkative(t *testing.T) func(*harness.Scenario) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok, by addr-of-store-1, how deep") }))
	t.Cleanup(server.Close)
	return func(s *harness.Scenario) {
		secretive("hunter2")(s)
		system, _ := s.System.(fakeSystem)
		system.target = server.URL
		s.System, s.Load.Confidential = system, []string{"how deep"}
	}
}

// secretive has a system keep a secret. Its server tells everybody hunter2.
func secretive(secret string) func(*harness.Scenario) {
	return func(s *harness.Scenario) {
		system, _ := s.System.(fakeSystem)
		system.secret = secret
		s.System, s.Expect = system, append(s.Expect, check.NoSecretsLeaked())
	}
}

func statusOf(verdicts []check.Verdict, name string) check.Verdict {
	for _, v := range verdicts {
		if v.Check == name {
			return v
		}
	}
	return check.Verdict{Reason: "no such verdict"}
}

// TestRun takes whole runs of a fake system, which last for the seconds that every run rests.
func TestRun(t *testing.T) {
	const ready = `{"msg":"ready"}` + "\n"
	var later []func()
	clean := map[string]string{"app-1": ready, "helper-1": "ready\n", "store-1": "panic: of another's\n"}
	for name, c := range map[string]struct {
		logs   map[string]string
		faults []fault.Fault
		alter  func(*harness.Scenario)
		cut    string // when the run is interrupted: at the baseline or in the load; empty for never
		judge  func(t *testing.T, run *evidence.Run, j check.Judgement)
	}{
		"clean": {logs: clean, judge: func(t *testing.T, run *evidence.Run, j check.Judgement) {
			for _, want := range []string{"NothingDropped", "NoPanics"} {
				if v := statusOf(j.Checks, want); v.Status != check.Pass {
					t.Errorf("%s: %s: %s", want, v.Status, v.Reason)
				}
			}
			for _, want := range []string{"EvidenceComplete", "HealthyBefore", "WarmedUp", "HealthyAfter", "NoUnplannedDeath"} {
				if v := statusOf(j.Assumptions, want); v.Status != check.Pass {
					t.Errorf("%s: %s: %s", want, v.Status, v.Reason)
				}
			}
			collected := func(o evidence.Observation) bool { return o.Node == "fake" && o.What == evidence.ProbeCollected }
			if !slices.ContainsFunc(evidence.Observations.Of(run), collected) {
				t.Error("nobody noted that the probe collected")
			}
		}},
		"a panic of the service": {logs: map[string]string{"app-1": ready + "panic: oops\ngoroutine 1\n"}, judge: func(t *testing.T, run *evidence.Run, j check.Judgement) {
			if j.Status != check.Fail || j.Reason != "NoPanics: 1 panic in the logs; the first, logs/app-1.log line 2: panic: oops goroutine 1" {
				t.Errorf("%s: %s", j.Status, j.Reason)
			}
		}},
		"a secret in a log and in responses": {logs: map[string]string{"app-1": ready + "who is hunter2?\n", "store-1": "hunter2\n"}, alter: secretive("hunter2"),
			judge: func(t *testing.T, run *evidence.Run, j check.Judgement) {
				v := statusOf(j.Checks, "NoSecretsLeaked")
				if v.Status != check.Fail || !strings.Contains(v.Reason, "the token in the logs (app-1)") || !strings.Contains(v.Reason, "the token in the responses") || strings.Contains(v.Reason, "hunter2") {
					t.Errorf("%s: %s", v.Status, v.Reason)
				}
			}},
		"secrets that are kept": {logs: clean, alter: secretive("hunter3"), judge: func(t *testing.T, run *evidence.Run, j check.Judgement) {
			if v := statusOf(j.Checks, "NoSecretsLeaked"); v.Status != check.Pass {
				t.Errorf("%s: %s", v.Status, v.Reason)
			}
		}},
		"an address in responses and a question in a log": {logs: map[string]string{"app-1": ready + "how deep is the sea?\n", "store-1": "how deep\n"}, alter: talkative(t),
			judge: func(t *testing.T, run *evidence.Run, j check.Judgement) {
				v := statusOf(j.Checks, "NoSecretsLeaked")
				const asked, address = "1 what clients ask or are told in the logs (app-1)", "1 the address of store-1 in the responses"
				if v.Status != check.Fail || !strings.Contains(v.Reason, asked) || !strings.Contains(v.Reason, address) || v.Figures["leaks"] != 2 {
					t.Errorf("%s: %s", v.Status, v.Reason)
				}
			}},
		"a race in another program of ours": {logs: map[string]string{"helper-1": "WARNING: DATA RACE\nWrite at 0x1\n"}, judge: func(t *testing.T, run *evidence.Run, j check.Judgement) {
			if j.Status != check.Fail || !strings.Contains(j.Reason, "1 data race in the logs; the first, logs/helper-1.log line 1") {
				t.Errorf("%s: %s", j.Status, j.Reason)
			}
		}},
		"a fault that does nothing": {logs: clean, faults: []fault.Fault{fault.Pause(fault.Node("store-1"))}, judge: func(t *testing.T, run *evidence.Run, j check.Judgement) {
			if j.Status != check.Unknown || len(j.Faults) != 1 || j.Faults[0].Confirmed || !strings.Contains(j.Faults[0].Missing, "no observer saw store-1 go down") {
				t.Errorf("%s: %s, %+v", j.Status, j.Reason, j.Faults)
			}
		}},
		"a plan drawn from the seed": {logs: clean, alter: func(s *harness.Scenario) { s.Draw = drawnPause },
			judge: func(t *testing.T, run *evidence.Run, j check.Judgement) {
				want := harness.Scenario{Draw: drawnPause}.Drawn(run.Plan.Seed).Faults[0]
				recorded := []evidence.Step{{Fault: want.Fault.Name, Kind: want.Fault.Kind, At: want.At, For: want.For}}
				if !slices.Equal(run.Plan.Faults, recorded) || len(j.Faults) != 1 || j.Faults[0].Name != want.Fault.Name {
					t.Errorf("recorded %v and judged %+v, want %v", run.Plan.Faults, j.Faults, recorded)
				}
			}},
		"a probe that cannot collect": {logs: clean, alter: func(s *harness.Scenario) { s.Probes = []probe.Probe{watching(errors.New("no such table"))} },
			judge: func(t *testing.T, run *evidence.Run, j check.Judgement) {
				if j.Status != check.Unknown || j.Reason != "EvidenceComplete: probe fake failed: no such table" {
					t.Errorf("%s: %s", j.Status, j.Reason)
				}
			}},
		"a warm-up that is answered wrongly": {logs: clean, alter: warmedBy(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }),
			judge: func(t *testing.T, run *evidence.Run, j check.Judgement) {
				const reason = "WarmedUp: 10 requests of the warm-up were answered wrongly or not at all: 10 failed (status 418); the first was warm-0-0"
				if j.Status != check.Fail || !strings.HasPrefix(j.Reason, reason) {
					t.Errorf("%s: %s", j.Status, j.Reason)
				}
				for i, q := range evidence.Warmup.Of(run) {
					if q.Seq != uint64(i) || q.Outcome != evidence.Failed || q.Reason != "status" || q.Status != http.StatusTeapot {
						t.Errorf("%+v", q)
					}
				}
				goneThrough(t, run, j)
			}},
		"a warm-up that is dropped": {logs: clean, alter: warmedBy(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
			judge: func(t *testing.T, run *evidence.Run, j check.Judgement) {
				if j.Status != check.Fail || !strings.Contains(j.Reason, "10 ambiguous") {
					t.Errorf("%s: %s", j.Status, j.Reason)
				}
				goneThrough(t, run, j)
			}},
		"a warm-up that is refused": {logs: clean, alter: warmedBy(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }),
			judge: func(t *testing.T, run *evidence.Run, j check.Judgement) {
				if j.Status != check.Unknown || j.Reason != "WarmedUp: 10 requests of the warm-up were not answered ok: 10 refused (503)" {
					t.Errorf("%s: %s", j.Status, j.Reason)
				}
				goneThrough(t, run, j)
			}},
		"interrupted in the load":     {logs: clean, cut: cutInLoad, judge: interrupted},
		"interrupted at the baseline": {logs: clean, cut: cutAtBaseline, judge: interrupted},
	} {
		s := fakeScenario(t, c.faults...)
		if c.alter != nil {
			c.alter(&s)
		}
		dir := t.TempDir()
		done := begin(t, s, harness.Options{Driver: fakeDriver{c.logs}, Dir: dir, Logf: t.Logf}, c.cut)
		later = append(later, func() {
			t.Run(name, func(t *testing.T) {
				r := <-done
				if r.err != nil {
					t.Fatal(r.err)
				}
				c.judge(t, r.run, r.j)
				for node, log := range c.logs {
					if b, err := os.ReadFile(filepath.Join(dir, evidence.LogsDir, node+".log")); err != nil || string(b) != hunted(node, log) {
						t.Errorf("log of %s: %q, %v", node, b, err)
					}
				}
				if _, again, err := harness.Judge(dir, s); err != nil || again.Status != r.j.Status || again.Reason != r.j.Reason {
					t.Errorf("judged again: %s: %s, %v", again.Status, again.Reason, err)
				}
			})
		})
	}
	for _, judge := range later {
		judge()
	}
}

// warmedBy has a system warmed up by ten requests that are answered like this. It refuses with status 503, and answers all else ok.
func warmedBy(t *testing.T, answer http.HandlerFunc) func(*harness.Scenario) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Header.Get("X-Request-Id"), evidence.WarmupPrefix) {
			answer(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return func(s *harness.Scenario) {
		s.System = fakeSystem{target: server.URL}
		s.Load.Warmup = []load.Stage{{Name: "warm-up", Shape: load.Herd(10, 0), Request: s.Load.Stages[0].Request}}
		s.Load.Refusal = func(status int, _ http.Header, _ []byte) (time.Duration, bool) {
			return time.Second, status == http.StatusServiceUnavailable
		}
	}
}

// goneThrough is a run after a warm-up of which ten requests were not ok: all of it is there, and the load was answered.
func goneThrough(t *testing.T, run *evidence.Run, j check.Judgement) {
	if n := len(evidence.Warmup.Of(run)); n != 10 || !run.Collected("fake") || !run.Collected(evidence.ProbeLogs) {
		t.Errorf("%d requests of the warm-up are recorded; collected: %t, %t", n, run.Collected("fake"), run.Collected(evidence.ProbeLogs))
	}
	for _, v := range []check.Verdict{statusOf(j.Checks, "NothingDropped"), statusOf(j.Assumptions, "EvidenceComplete")} {
		if v.Status != check.Pass {
			t.Errorf("%s: %s: %s", v.Check, v.Status, v.Reason)
		}
	}
}

// drawnPause pauses the store at some time in the first half second.
func drawnPause(r *rand.Rand) fault.Plan {
	return fault.Plan{{At: time.Duration(r.Int64N(int64(time.Second / 2))), For: 100 * time.Millisecond, Fault: fault.Pause(fault.Node("store-1"))}}
}

type outcome struct {
	run *evidence.Run
	j   check.Judgement
	err error
}

// Moments at which a run is interrupted.
const (
	cutAtBaseline = "baseline"
	cutInLoad     = "load"
)

// interrupted is what is left of a run that is saved whole but was not gone through.
func interrupted(t *testing.T, run *evidence.Run, j check.Judgement) {
	if j.Status != check.Unknown || !run.Complete {
		t.Errorf("%s: %s; complete %t", j.Status, j.Reason, run.Complete)
	}
}

// begin runs a scenario beside the others, however few processors there are, and interrupts it at the moment cut, if any.
func begin(t *testing.T, s harness.Scenario, opt harness.Options, cut string) <-chan outcome {
	done := make(chan outcome, 1)
	go func() {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		switch cut {
		case cutAtBaseline:
			time.AfterFunc(300*time.Millisecond, cancel)
		case cutInLoad:
			opt.OnRequest = func(evidence.Request) { cancel() }
		}
		run, j, err := harness.Run(ctx, s, opt)
		done <- outcome{run, j, err}
	}()
	return done
}

// nowhere is where nobody listens.
const nowhere = "http://127.0.0.1:1"

// TestTheServiceSpoilsTheSetup: then it is not the set-up that failed.
func TestTheServiceSpoilsTheSetup(t *testing.T) {
	panics := harness.Options{Driver: fakeDriver{map[string]string{"app-1": "panic: oops\n"}}, Logf: t.Logf}
	neverReady, cold := fakeScenario(t), fakeScenario(t)
	neverReady.System = fakeSystem{broken: errors.New("app-1 is never ready")}
	cold.Load.Warmup = []load.Stage{{Name: "warm-up", Shape: load.Constant(10, time.Second), Request: cold.Load.Stages[0].Request}}
	cold.System = fakeSystem{target: nowhere}
	for name, s := range map[string]harness.Scenario{"at its start": neverReady, "at the warm-up": cold} {
		opt := panics
		opt.Dir = t.TempDir()
		_, j, err := harness.Run(t.Context(), s, opt)
		if err != nil || j.Status != check.Fail || !strings.HasPrefix(j.Reason, "NoPanics: 1 panic in the logs") {
			t.Errorf("%s: %s: %s, %v", name, j.Status, j.Reason, err)
		}
	}
}

// TestFailedSetup is no verdict, and leaves what the nodes wrote.
func TestFailedSetup(t *testing.T) {
	broken, deaf := fakeScenario(t), fakeScenario(t)
	broken.System = fakeSystem{broken: errors.New("no quorum")}
	deaf.Load.Warmup = []load.Stage{{Name: "warm-up", Shape: load.Herd(10, 0), Request: deaf.Load.Stages[0].Request}}
	deaf.System = fakeSystem{target: nowhere}
	for name, s := range map[string]harness.Scenario{"never ready": broken, "nobody listens": deaf} {
		dir := t.TempDir()
		_, j, err := harness.Run(t.Context(), s, harness.Options{Driver: fakeDriver{map[string]string{"app-1": "why\n"}}, Dir: dir, Logf: t.Logf})
		if !errors.Is(err, harness.ErrSetup) || len(j.Checks) != 0 {
			t.Errorf("%s: %v, %+v", name, err, j)
		}
		if b, err := os.ReadFile(filepath.Join(dir, evidence.LogsDir, "app-1.log")); err != nil || string(b) != "why\n" {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
}

// TestOnASharedMachine: whoever has the machine is asked before anything is sent, and told when the load is over.
func TestOnASharedMachine(t *testing.T) {
	t.Run("in order", func(t *testing.T) {
		s := fakeScenario(t)
		var mu sync.Mutex
		var order []string
		note := func(what string) {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, what)
		}
		s.Load.Warmup = []load.Stage{{Name: "warm-up", Shape: load.Constant(10, 100*time.Millisecond), Request: func(uint64, *rand.Rand) load.Request {
			note("sent")
			return load.Request{Method: http.MethodGet, Path: "/"}
		}}}
		_, j, err := harness.Run(t.Context(), s, harness.Options{Driver: fakeDriver{}, Dir: t.TempDir(), Logf: t.Logf,
			Ready:     func(context.Context) error { note("ready"); return nil },
			OnRequest: func(evidence.Request) { note("answered") },
			Loaded:    func() { note("loaded") }})
		if err != nil || len(j.Checks) == 0 {
			t.Fatalf("%+v, %v", j, err)
		}
		if got := slices.Compact(order); !slices.Equal(got, []string{"ready", "sent", "answered", "loaded"}) {
			t.Errorf("%v", got)
		}
	})
	t.Run("never left to it", func(t *testing.T) {
		s := fakeScenario(t)
		taken := errors.New("the machine is another's")
		_, _, err := harness.Run(t.Context(), s, harness.Options{Driver: fakeDriver{}, Dir: t.TempDir(), Logf: t.Logf,
			Ready:     func(context.Context) error { return taken },
			OnRequest: func(evidence.Request) { t.Error("a request was sent") }})
		if !errors.Is(err, harness.ErrSetup) || !errors.Is(err, taken) {
			t.Errorf("%v", err)
		}
	})
}
