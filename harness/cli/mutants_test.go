package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sentinel-chaos/sentinel/harness"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// answersAndQuick is the judgement of a run whose scenario claims Answers and Quick.
func answersAndQuick(answers, quick check.Status) check.Judgement {
	return check.Judgement{Checks: []check.Verdict{{Check: "Answers", Status: answers, Reason: "of answers"},
		{Check: "Quick", Status: quick, Reason: "of time"}}}.Conclude()
}

// mutantApp has scenarios that claim Answers and Quick. They are run by mutantLab only.
func mutantApp() App {
	var all []harness.Scenario
	for _, name := range []string{"storm", "calm"} {
		all = append(all, harness.Scenario{Name: name, Claim: "It holds.", Expect: []check.Check{{Name: "Answers"}, {Name: "Quick"}}})
	}
	all = append(all, harness.Scenario{Name: "soak", Claim: "It lasts.", Expect: []check.Check{{Name: "Answers"}}, Soak: true})
	return App{Catalogue: all, Mutants: mutantsDir, Reports: Reports{Run: func(string) (passed, all int, err error) { return 0, 0, nil }}}
}

// mutantLab runs scenarios of mutantApp by what is written down for their folders.
type mutantLab struct {
	judged map[string]check.Judgement // all else passes
	failed map[string]error           // set-ups
	dark   bool                       // there is nothing to run nodes on
	start  time.Duration              // from the begin of a run until its load could start
	load   time.Duration
	rest   time.Duration // from the end of the load until all is judged and removed

	mu       sync.Mutex
	events   []string
	overlays map[string]string // by the folder of the run
	seeds    map[uint64]bool
}

func (l *mutantLab) note(event, folder string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, event+" "+folder)
}

// rack is a driver for one run of a mutantLab, which hears when its nodes are removed.
type rack struct {
	lab
	closed func()
}

func (r rack) Close(context.Context) error {
	r.closed()
	return nil
}

func (l *mutantLab) connect(session func() *Session) func(context.Context, Connection) (env.Driver, error) {
	return func(_ context.Context, c Connection) (env.Driver, error) {
		if l.dark {
			return nil, errors.New("the lab is dark")
		}
		folder := strings.TrimPrefix(c.Run, session().record.Run+"-")
		l.mu.Lock()
		defer l.mu.Unlock()
		l.overlays[folder] = c.Overlay
		return rack{lab: "lab", closed: func() { l.note("gone", folder) }}, nil
	}
}

func (l *mutantLab) run(ctx context.Context, _ harness.Scenario, opt harness.Options) (*evidence.Run, check.Judgement, error) {
	folder := filepath.Base(opt.Dir)
	l.mu.Lock()
	l.seeds[opt.Seed] = true
	l.mu.Unlock()
	l.note("start", folder)
	time.Sleep(l.start)
	if err := errors.Join(l.failed[folder], opt.Ready(ctx)); err != nil {
		return nil, check.Judgement{}, fmt.Errorf("%w: %w", harness.ErrSetup, err)
	}
	l.note("load", folder)
	time.Sleep(l.load)
	l.note("rest", folder)
	opt.Loaded()
	time.Sleep(l.rest)
	if j, ok := l.judged[folder]; ok {
		return nil, j, nil
	}
	return nil, answersAndQuick(check.Pass, check.Pass), nil
}

// mutate runs mutants of `storm` and `calm` in the lab, and returns what was written to both streams.
func (l *mutantLab) mutate(ctx context.Context, t *testing.T, ms ...mutant) (out, progress string, matrix check.Matrix, err error) {
	t.Helper()
	l.overlays, l.seeds = map[string]string{}, map[uint64]bool{}
	var s *Session
	app := mutantApp()
	cfg := Config{App: app, Seed: 7, Root: mutableModule(t), Out: t.TempDir(), Driver: Driver{Kind: lab("lab"), Connect: l.connect(func() *Session { return s })}}
	s, serr := NewSession(cfg, t.Logf)
	if serr != nil {
		t.Fatal(serr)
	}
	s.run = l.run
	var stdout, stderr bytes.Buffer
	c := &console{App: app, out: &stdout, err: &stderr}
	err = c.runMutants(ctx, s, ms, newProgress(&stderr, false))
	if rerr := evidence.ReadJSON(filepath.Join(s.Dir, evidence.MutantsFile), &matrix); rerr != nil {
		t.Error(rerr)
	}
	return stdout.String(), stderr.String(), matrix, err
}

// mutableModule is a module whose one file the mutants of these tests edit.
func mutableModule(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "p.go"), []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	return root
}

// seeded is a mutant that Answers must catch.
func seeded(name, scenario string) mutant {
	return mutant{Mutant: check.Mutant{Name: name, Class: "content", Defect: name + " is wrong", Scenario: scenario, Check: "Answers"},
		edits: []edit{{file: "p.go", find: "\ttwo()\n", replace: "\t" + name + "()\n"}}, files: []string{"p.go"}}
}

// TestMutantsBesideControls: each scenario is run once as it is, and then on a build with each of its defects, all from one seed.
func TestMutantsBesideControls(t *testing.T) { synctest.Test(t, testMutantsBesideControls) }

// A load takes its time, as any does: what came of a run is told by the time that the load of the next one is over.
func testMutantsBesideControls(t *testing.T) {
	fails := answersAndQuick(check.Fail, check.Pass)
	l := &mutantLab{load: 30 * time.Second, judged: map[string]check.Judgement{"a": fails, "b": fails, "c": fails}}
	out, progress, _, err := l.mutate(t.Context(), t, seeded("a", "storm"), seeded("b", "calm"), seeded("c", "calm"))
	if err != nil {
		t.Error(err)
	}
	l.events = slices.DeleteFunc(l.events, func(e string) bool { return !strings.HasPrefix(e, "load") })
	if got := strings.Join(l.events, ", "); got != "load storm, load a, load calm, load b, load c" {
		t.Error(got)
	}
	if len(l.seeds) != 1 || !l.seeds[7] {
		t.Errorf("seeds %v, want 7 alone", l.seeds)
	}
	for folder, overlay := range l.overlays {
		want := ""
		if len(folder) == 1 {
			want = filepath.Join(overlaysDir, folder, "overlay.json")
		}
		if !strings.HasSuffix(overlay, want) || (want == "") != (overlay == "") {
			t.Errorf("%s was built under %q, want %q", folder, overlay, want)
		}
	}
	if !strings.HasSuffix(out, "index.html\n") || !strings.Contains(out, "\n3 of 3 mutants caught, 3 of them by the check that is named\n") {
		t.Error(out)
	}
	for _, want := range []string{
		`3 mutants, and 2 runs of the service without a defect: some 3m45s$`,
		`\[1/5\] control of storm: PASS; \S+ so far, some \S+ to go$`,
		`\[2/5\] a in storm: caught Answers; \S+ so far, some \S+ to go$`,
		`\[3/5\] control of calm: PASS; `,
		`\[5/5\] c in calm: caught Answers; \S+ so far, some 0s to go$`,
	} {
		if !regexp.MustCompile("(?m)" + want).MatchString(progress) {
			t.Errorf("%s\nlacks %s", progress, want)
		}
	}
}

// TestMutantOutcomes: what became of mutants decides the exit code, and is saved and shown.
func TestMutantOutcomes(t *testing.T) {
	const p, f, u = check.Pass, check.Fail, check.Unknown
	caught := answersAndQuick(f, p)
	type judgements = map[string]check.Judgement
	for _, c := range []struct {
		name string
		lab  *mutantLab
		cut  bool // before anything begins
		want string
		code int
	}{
		{"caught", &mutantLab{judged: judgements{"a": caught, "b": caught}}, false, "caught, caught", ExitPass},
		{"one survives", &mutantLab{judged: judgements{"a": caught}}, false, "caught, SURVIVED", ExitFail},
		{"one is caught by another check", &mutantLab{judged: judgements{"a": caught, "b": answersAndQuick(p, f)}}, false, "caught, caught by another check", ExitFail},
		{"one is inconclusive", &mutantLab{judged: judgements{"a": caught, "b": answersAndQuick(u, p)}}, false, "caught, inconclusive", ExitUnknown},
		{"the control is inconclusive", &mutantLab{judged: judgements{"calm": answersAndQuick(u, p), "a": caught, "b": caught}}, false, "caught, not proven", ExitUnknown},
		{"the control fails", &mutantLab{judged: judgements{"calm": caught, "a": caught, "b": caught}}, false, "caught, not proven", ExitFail},
		{"the control is not set up", &mutantLab{judged: judgements{"a": caught, "b": caught}, failed: map[string]error{"calm": errors.New("no disk")}},
			false, "caught, not proven", ExitSetup},
		{"one is not set up", &mutantLab{judged: judgements{"a": caught}, failed: map[string]error{"b": errors.New("it does not compile")}},
			false, "caught, not run", ExitSetup},
		{"to survive outweighs a set-up", &mutantLab{failed: map[string]error{"b": errors.New("no disk")}}, false, "SURVIVED, not run", ExitFail},
		{"nothing to run nodes on", &mutantLab{dark: true}, false, "not run, not run", ExitSetup},
		{"interrupted", &mutantLab{}, true, "not run, not run", ExitUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if c.cut {
				cancel()
			}
			out, _, matrix, err := c.lab.mutate(ctx, t, seeded("a", "storm"), seeded("b", "calm"))
			if got := exitCode(err); got != c.code {
				t.Errorf("exit code %d, want %d: %v", got, c.code, err)
			}
			var outcomes []string
			for _, row := range matrix.Mutants {
				outcomes = append(outcomes, string(row.Outcome))
				if !regexp.MustCompile(row.Name + ` +` + row.Scenario + ` +Answers +` + string(row.Outcome)).MatchString(out) {
					t.Errorf("%s: %s is not in\n%s", row.Name, row.Outcome, out)
				}
				if row.Reason == "" {
					t.Errorf("%s gives no reason", row.Name)
				}
			}
			if got := strings.Join(outcomes, ", "); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// TestMutantsOverlap: while a run comes to rest, is judged and removed, the next one is set up; its load waits until the other is gone.
func TestMutantsOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &mutantLab{start: 2 * time.Second, load: 30 * time.Second, rest: 8 * time.Second}
		_, _, _, _ = l.mutate(t.Context(), t, seeded("a", "calm"))
		if got := strings.Join(l.events, ", "); got != "start calm, load calm, rest calm, start a, gone calm, load a, rest a, gone a" {
			t.Error(got)
		}
	})
}

func TestForecast(t *testing.T) {
	for _, c := range []struct{ took, done, left, want time.Duration }{
		{0, 0, time.Hour, time.Hour},
		{time.Minute, 0, time.Hour, time.Hour},
		{time.Minute, time.Minute, time.Hour, time.Hour},
		{time.Minute, 2 * time.Minute, time.Hour, 30 * time.Minute},
		{3 * time.Minute, time.Minute, time.Hour, 3 * time.Hour},
		{time.Hour, time.Hour, 0, 0},
	} {
		if got := forecast(c.took, c.done, c.left); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// TestPickMutants: without names all but those of soaks, beside others of their scenario, in the catalogue's order.
func TestPickMutants(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string // mutants and their scenarios
		asked []string
		want  string // or the end of the error
	}{
		{"all but soaks", map[string]string{"a": "calm", "b": "storm", "c": "calm", "d": "soak"}, nil, "b a c"},
		{"named", map[string]string{"a": "calm", "b": "storm", "d": "soak"}, []string{"d", "a"}, "a d"},
		{"unknown", map[string]string{"a": "calm", "b": "storm"}, []string{"z"}, `no mutant "z": there are a, b`},
		{"soaks alone", map[string]string{"d": "soak"}, nil, "which have to be named"},
		{"none", nil, nil, "no *.mutant in scenarios/mutants, or only those of soaks, which have to be named"},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			writeMutants(t, root, c.files)
			picked, err := (&console{App: mutantApp()}).pickMutants(root, c.asked)
			var got []string
			for _, m := range picked {
				got = append(got, m.Name)
			}
			switch {
			case err == nil && strings.Join(got, " ") != c.want:
				t.Errorf("%v, want %s", got, c.want)
			case err != nil && (!errors.Is(err, errUsage) || !strings.HasSuffix(err.Error(), c.want)):
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}

func writeMutants(t *testing.T, root string, scenarios map[string]string) {
	t.Helper()
	dir := filepath.Join(root, filepath.FromSlash(mutantsDir))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, scenario := range scenarios {
		text := "Defect: it is wrong\nScenario: " + scenario + "\nCheck: Answers\n" + section("p.go find", "\ttwo()") + section("p.go replace", "\tthree()")
		if err := os.WriteFile(filepath.Join(dir, name+mutantExt), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestUnfitMutants: a mutant that can not be run is refused before anything starts.
func TestUnfitMutants(t *testing.T) {
	stale, other := seeded("stale", "steady"), seeded("other", "steady")
	stale.edits[0].find = "\tfive()\n"
	for _, m := range []*mutant{&stale, &other} {
		m.Check = "NothingDropped"
	}
	unfit, blind, lost := other, other, other
	unfit.Scenario, blind.Check, lost.Scenario = "stranger", "OncePerKey", "nowhere"
	cfg := Config{App: testApp(), Root: mutableModule(t), Driver: Driver{Kind: lab("lab")}}
	for _, c := range []struct {
		name string
		m    mutant
		want string
	}{
		{"fit", other, ""},
		{"does not apply", stale, "it no longer applies"},
		{"its scenario does not fit", unfit, `needs a node "web-2"`},
		{"no such check", blind, "scenario steady has no check OncePerKey"},
		{"no such scenario", lost, "there is no scenario nowhere"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := cfg.fitMutants([]mutant{c.m})
			wantError(t, err, c.want)
			if err != nil && exitCode(err) != ExitUsage {
				t.Errorf("exit code %d", exitCode(err))
			}
		})
	}
}
