package scenarios_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/cli"
	"github.com/sentinel-chaos/sentinel/harness/cmd/chaos/wiring"
	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/probe"
	"github.com/sentinel-chaos/sentinel/scenarios"
)

// cleanUp is kept free before the test binary's own deadline, for heals, collection and the removal of nodes.
const cleanUp = 30 * time.Second

// ranFile is read by every run and rewritten at its end. Go's test cache does not see the service, which is built by path;
// it does see this file, and does not keep a result that rests on a file as new as that.
var ranFile = filepath.Join("..", "reports", "out", ".scenarios-ran")

func TestMain(m *testing.M) {
	code := m.Run()
	if err := writeRanFile(); err != nil {
		fmt.Fprintln(os.Stderr, "this result may come from the cache next time:", err)
		code = 1
	}
	os.Exit(code)
}

func writeRanFile() error {
	if err := os.MkdirAll(filepath.Dir(ranFile), 0o755); err != nil {
		return err
	}
	return os.WriteFile(ranFile, []byte(time.Now().Format(time.RFC3339Nano)+"\n"), 0o644)
}

// TestScenarios runs the catalogue through the same code as `chaos run`. Scenarios are parallel tests, of which no two are
// under load at a time: while one comes to rest, another is set up. With -parallel 1 even that waits. A signal ends what runs
// as it does in `chaos run`: it is healed, saved and removed, and the others are not begun.
func TestScenarios(t *testing.T) {
	_, _ = os.ReadFile(ranFile) // for the test cache, which notices what is opened from here on; absent at first
	ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt, syscall.SIGTERM)
	t.Cleanup(stop)
	signal.Ignore(syscall.SIGPIPE) // SIGTERM ends `go test`, which reads what is printed here; heals must not end with it
	r := &suite{}
	t.Cleanup(func() { r.finish(t) })
	for _, sc := range scenarios.All() {
		runs := !sc.Soak && (sc.Short || !testing.Short()) // the others run by name only: chaos run NAME
		if runs {
			t.Run(sc.Name, func(t *testing.T) {
				s := r.open(t, sc)
				t.Parallel()
				r.run(ctx, t, s, sc)
			})
		}
	}
}

// suite opens its session with the first scenario that -run selects.
type suite struct {
	session *cli.Session
	needed  time.Duration // what all selected scenarios would take

	mu     sync.Mutex
	notRun []string
}

func (r *suite) run(interrupt context.Context, t *testing.T, s *cli.Session, sc harness.Scenario) {
	ctx := interrupt
	deadline, limited := t.Deadline()
	if limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, deadline.Add(-cleanUp), errors.New("the test's deadline is near"))
		defer cancel()
	}
	slot, err := s.Next(ctx)
	defer slot.Release()
	if interrupt.Err() != nil {
		err = errInterrupted
		t.Fatal(errors.Join(err, s.NotRun(sc, err.Error())))
	}
	if left := time.Until(deadline); limited && left < sc.Estimate()+cleanUp {
		r.skip(t, sc, fmt.Sprintf("not run: %s left, it needs %s", left.Round(time.Second), sc.Estimate()+cleanUp))
	}
	if err != nil {
		t.Fatal(err)
	}
	j, err := slot.Run(ctx, sc, sc.Name, cli.Display{Logf: t.Logf})
	if err == nil || len(j.Checks) > 0 {
		report(t, j)
	}
	if err == nil && j.Status != check.Pass {
		logWarnings(t, filepath.Join(s.Dir, sc.Name))
	}
	switch {
	case errors.Is(err, cli.ErrLeftovers):
		t.Errorf("clean-up failed: %v", err)
	case err != nil:
		t.Errorf("set-up failed: %v", err)
	}
	t.Logf("evidence: %s", filepath.Join(s.Dir, sc.Name))
}

var errInterrupted = errors.New("interrupted before it began")

// skip notes that there was no time for the scenario.
func (r *suite) skip(t *testing.T, sc harness.Scenario, reason string) {
	t.Helper()
	if err := r.session.NotRun(sc, reason); err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	r.notRun = append(r.notRun, sc.Name)
	r.mu.Unlock()
	t.Skip(reason)
}

func (r *suite) open(t *testing.T, sc harness.Scenario) *cli.Session {
	t.Helper()
	r.needed += sc.Estimate()
	if r.session == nil {
		cfg, err := cli.ReadConfig(t.Context(), wiring.App(scenarios.All()), os.Getenv)
		if err != nil {
			t.Fatal(err)
		}
		if r.session, err = cli.NewSession(cfg, t.Logf); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.session.Fit(sc); err != nil {
		t.Fatal(errors.Join(err, r.session.NotRun(sc, err.Error())))
	}
	if err := r.session.Expect(sc); err != nil {
		t.Fatal(err)
	}
	return r.session
}

func report(t *testing.T, j check.Judgement) {
	t.Helper()
	for _, v := range j.Checks {
		t.Logf("%-8s %s: %s", v.Status, v.Check, v.Reason)
	}
	for _, a := range j.Assumptions {
		if a.Status != check.Pass {
			t.Logf("%-8s %s: %s", a.Status, a.Check, a.Reason)
		}
	}
	switch j.Status {
	case check.Pass:
	case check.Fail:
		t.Errorf("FAIL: %s", j.Reason)
	default:
		t.Errorf("INCONCLUSIVE: %s", j.Reason)
	}
}

// warning is found in lines by which programs of the stack warn.
var warning = regexp.MustCompile(`"level":"(WARN|ERROR)"|\b(WARNING|ERROR|FATAL|PANIC)\b`)

// Bounds of what is printed of a log.
const (
	lastWarnings  = 5
	longestNotice = 300 // bytes
)

// logWarnings prints the last warnings of each node's log. Where a run's folder is not kept, no other trace is left of why it failed.
func logWarnings(t *testing.T, dir string) {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(dir, "logs", "*.log"))
	if err != nil {
		t.Error(err)
	}
	for _, name := range logs {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Error(err)
			continue
		}
		lines := slices.DeleteFunc(strings.Split(string(text), "\n"), func(line string) bool { return !warning.MatchString(line) })
		for _, line := range lines[max(0, len(lines)-lastWarnings):] {
			t.Logf("log of %s: %.*s", strings.TrimSuffix(filepath.Base(name), ".log"), longestNotice, line)
		}
	}
}

// finish writes the reports. A scenario that was not run is not a pass, so the whole test is not either.
func (r *suite) finish(t *testing.T) {
	if r.session == nil {
		return
	}
	if _, _, err := r.session.Report(); err != nil {
		t.Error(err)
	}
	t.Logf("report: %s", filepath.Join(r.session.Dir, "index.html"))
	if len(r.notRun) > 0 {
		t.Errorf("not run for lack of time: %s; use -timeout %s", strings.Join(r.notRun, ", "), (r.needed + 2*cleanUp + time.Minute).Truncate(time.Minute))
	}
}

// TestNeverFromTheCache runs this package's tests twice and sees both runs execute.
func TestNeverFromTheCache(t *testing.T) {
	var ran []string
	for range 2 {
		out, err := exec.Command("go", "test", "-run", "^TestScenarios$/^none$", ".").CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if strings.Contains(string(out), "(cached)") {
			t.Fatalf("answered from the test cache:\n%s", out)
		}
		b, err := os.ReadFile(ranFile)
		if err != nil {
			t.Fatal(err)
		}
		ran = append(ran, string(b))
	}
	if ran[0] == ran[1] {
		t.Fatalf("the second run did not execute: %s", ran[0])
	}
}

// TestInterrupt runs two scenarios in a process of their own, on an engine that never answers, and interrupts it: that process
// ends by itself, it fails, and its reports say of both scenarios that they were not run.
func TestInterrupt(t *testing.T) {
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(s.String(), func(t *testing.T) {
			out := t.TempDir()
			engine, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
			if err != nil {
				t.Fatal(err)
			}
			defer engine.Close()
			if err := engine.SetDeadline(time.Now().Add(cleanUp)); err != nil {
				t.Fatal(err)
			}
			run := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestScenarios$/^(calm|redis-down)$")
			run.Env = append(os.Environ(), "DOCKER_HOST=tcp://"+engine.Addr().String(), "CHAOS_OUT="+out)
			var log strings.Builder
			run.Stdout, run.Stderr = &log, &log
			if err := run.Start(); err != nil {
				t.Fatal(err)
			}
			asked, err := engine.Accept() // the first of them has begun
			if err != nil {
				t.Fatal(err)
			}
			defer asked.Close()
			if err := run.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
			if err := run.Wait(); run.ProcessState.ExitCode() != 1 {
				t.Errorf("%v\n%s", err, log.String())
			}
			record, err := os.ReadFile(filepath.Join(out, "latest", "run.json"))
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{`"calm"`, `"redis-down"`, "cannot reach Docker", errInterrupted.Error()} {
				if strings.Count(string(record), want) != 1 {
					t.Errorf("want %s once:\n%s", want, record)
				}
			}
			if _, err := os.Stat(filepath.Join(out, "latest", "index.html")); err != nil {
				t.Error(err)
			}
		})
	}
}

// bare is a driver without abilities.
type bare struct{ env.Driver }

func (bare) Name() string { return "bare" }

// TestAbilitiesAreAskedForAhead: whoever holds gateways to a share of the CPU says so before anything starts.
func TestAbilitiesAreAskedForAhead(t *testing.T) {
	if err := scenarios.Overload().Fits(bare{}); !errors.Is(err, harness.ErrScenario) || !strings.Contains(err.Error(), "the system needs cpu-quota") {
		t.Errorf("overload: %v", err)
	}
	if err := scenarios.Calm().Fits(bare{}); err != nil {
		t.Error(err)
	}
}

// TestCatalogue holds what every scenario owes its reader: a name of its own, parts that fit, and its rows in the documents.
func TestCatalogue(t *testing.T) {
	seen := map[string]bool{}
	table, failures := read(t, filepath.Join("..", "docs", "SCENARIOS.md")), read(t, filepath.Join("..", "docs", "FAILURE_MODES.md"))
	for _, sc := range scenarios.All() {
		if err := sc.Validate(); err != nil {
			t.Error(err)
		}
		if seen[sc.Name] {
			t.Errorf("two scenarios named %s", sc.Name)
		}
		seen[sc.Name] = true
		if !strings.Contains(table, "`"+sc.Name+"`") {
			t.Errorf("docs/SCENARIOS.md does not tell of the scenario %s", sc.Name)
		}
		if _, gateways := sc.System.(gateway.Stack); !gateways {
			continue // an example, whose failures are its own
		}
		if len(sc.Faults) > 0 && !strings.Contains(failures, "`"+sc.Name+"`") {
			t.Errorf("docs/FAILURE_MODES.md has no row that names the scenario %s as its proof", sc.Name)
		}
	}
}

// TestAdviceIsComparedWhereverOneMayBeRefused: who allows refusals claims that they say when to come again.
func TestAdviceIsComparedWhereverOneMayBeRefused(t *testing.T) {
	allow := 0
	for _, sc := range scenarios.All() {
		if _, gateways := sc.System.(gateway.Stack); !gateways || len(sc.Load.Allow) == 0 {
			continue
		}
		allow++
		if !slices.ContainsFunc(sc.Expect, func(c check.Check) bool { return c.Name == "RetryAfterHonest" }) {
			t.Errorf("%s allows refusals and does not claim RetryAfterHonest", sc.Name)
		}
	}
	if allow < 7 {
		t.Errorf("only %d scenarios allow refusals", allow)
	}
}

// storeProbes observe the stores, which costs so much that only who needs them has them.
var storeProbes = []string{"redis-alive", "redis-sentinels-alive", "postgres-alive", "patroni-state", "postgres-sessions"}

// probesOf names the observers of a scenario: its own, and those of its system and its faults.
func probesOf(sc harness.Scenario) (names []string) {
	probes := append(slices.Clone(sc.Probes), sc.System.(harness.Observed).Probes()...)
	for _, step := range sc.Faults {
		probes = append(probes, step.Fault.Observe...)
	}
	for _, p := range probes {
		names = append(names, p.Name)
	}
	return names
}

// TestChecksHaveTheirObservers: a check that reads what an observer of the stores saw has that observer in every scenario, whatever
// the seed.
func TestChecksHaveTheirObservers(t *testing.T) {
	postgres, redis := []string{"postgres-alive", "patroni-state"}, []string{"redis-alive", "redis-sentinels-alive"}
	needs := map[string][]string{
		"NobodyStays":                 append(slices.Clone(postgres), "postgres-sessions"),
		"NoSplitBrain":                postgres,
		"StepsDown":                   postgres,
		"LeadsAgain":                  postgres,
		"RefusedOnlyWithoutAuthority": append(slices.Clone(postgres), redis...),
	}
	used := map[string]bool{}
	for _, sc := range scenarios.All() {
		for seed := range uint64(20) {
			has := probesOf(sc.Drawn(seed))
			for _, c := range sc.Expect {
				used[c.Name] = true
				for _, probe := range needs[c.Name] {
					if !slices.Contains(has, probe) {
						t.Errorf("%s has %s, and no %s", sc.Name, c.Name, probe)
					}
				}
			}
		}
	}
	for name := range needs {
		if !used[name] {
			t.Errorf("no scenario has %s", name)
		}
	}
}

// TestFailoversAreObserved: the guards that an election was seen have an observer of who leads the store that their fault hits.
func TestFailoversAreObserved(t *testing.T) {
	guarded := 0
	for _, sc := range scenarios.All() {
		if !slices.ContainsFunc(sc.Sometimes, func(c check.Check) bool { return c.Name == "FailedOver" }) {
			continue
		}
		guarded++
		for _, step := range sc.Faults {
			leads := map[string]string{"redis": "redis-alive", "postgres": "patroni-state"}[tierOf(step)]
			if leads != "" && !slices.ContainsFunc(step.Fault.Observe, func(p probe.Probe) bool { return p.Name == leads }) {
				t.Errorf("%s: %s brings no %s", sc.Name, step.Fault.Name, leads)
			}
		}
	}
	if guarded == 0 {
		t.Error("no scenario has FailedOver")
	}
}

// TestNobodyPollsStoresWithoutNeed: where no store fails, none is observed.
func TestNobodyPollsStoresWithoutNeed(t *testing.T) {
	for _, sc := range []harness.Scenario{scenarios.Calm(), scenarios.ThunderingHerd(), scenarios.SigtermMidLoad(), scenarios.SigtermWhileStarting(),
		scenarios.RollingRestart(), scenarios.SoakSigterm(), scenarios.SoakUniqueKeys(), scenarios.SlowLLM()} {
		for _, name := range probesOf(sc) {
			if slices.Contains(storeProbes, name) {
				t.Errorf("%s has %s", sc.Name, name)
			}
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
