package probe_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"github.com/sentinel-chaos/sentinel/harness/probe"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// proc answers HTTP at an endpoint and ends when told to.
type proc struct {
	env.Proc
	endpoint string
	resolved atomic.Int32

	mu      sync.Mutex
	running chan struct{} // closed while down
	exit    env.Exit
	broken  error
}

func newProc(endpoint string) *proc { return &proc{endpoint: endpoint, running: make(chan struct{})} }

func (p *proc) Endpoint(context.Context, int) (string, error) {
	p.resolved.Add(1)
	if p.endpoint == "" {
		return "", errors.New("no such port")
	}
	return p.endpoint, nil
}

func (p *proc) Wait(ctx context.Context) (env.Exit, error) {
	p.mu.Lock()
	running, broken := p.running, p.broken
	p.mu.Unlock()
	if broken != nil {
		return env.Exit{}, broken
	}
	select {
	case <-ctx.Done():
		return env.Exit{}, ctx.Err()
	case <-running:
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.exit, nil
	}
}

func (p *proc) end(code int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.exit = env.Exit{Code: code, At: time.Now()}
	close(p.running)
}

func (p *proc) start() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = make(chan struct{})
}

type driver struct {
	env.Driver
	procs map[string]*proc
}

func (driver) Addr(string) (string, error) { return "", nil }

func (d driver) Launch(_ context.Context, s env.Spec) (env.Proc, error) { return d.procs[s.Name], nil }

func newEnv(t *testing.T, procs map[string]*proc) *env.Env {
	t.Helper()
	e := env.New(driver{procs: procs}, 1, t.Logf)
	for name := range procs {
		role, _, _ := strings.Cut(name, "-")
		if _, err := e.Launch(t.Context(), env.Spec{Name: name, Role: role}); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

// watch runs the probe's Watch while during runs, and returns what was recorded.
func watch(t *testing.T, p probe.Probe, e *env.Env, during func()) (*evidence.Run, error) {
	t.Helper()
	dir := t.TempDir()
	rec, err := evidence.NewRecorder(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := rec.WritePlan(evidence.Plan{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- p.Watch(ctx, e, rec) }()
	during()
	cancel()
	failed := <-done
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	run, err := evidence.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return run, failed
}

func serve(t *testing.T, h http.HandlerFunc) *proc {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return newProc(s.Listener.Addr().String())
}

// eventually polls until the condition holds; the test's own deadline bounds it.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	if err := env.Await(t.Context(), what, func(context.Context) error {
		if holds() {
			return nil
		}
		return env.ErrNotYet
	}); err != nil {
		t.Fatal(err)
	}
}

const page = `# TYPE shop_build_info gauge
shop_build_info{version="dev",replica="app-1",boot="b7"} 1
# TYPE shop_active_requests gauge
shop_active_requests 3
# TYPE shop_requests_total counter
shop_requests_total{route="/v1/query",code="200"} 12
# TYPE shop_request_duration_seconds histogram
shop_request_duration_seconds_bucket{route="/v1/query",le="0.1"} 5
shop_request_duration_seconds_bucket{route="/v1/query",le="+Inf"} 7
shop_request_duration_seconds_sum{route="/v1/query"} 1.5
shop_request_duration_seconds_count{route="/v1/query"} 7
# TYPE shop_summary summary
shop_summary{quantile="0.5"} NaN
shop_summary_sum 2
shop_summary_count 4
# TYPE shop_broken gauge
shop_broken NaN
shop_untyped 9
# TYPE process_start_time_seconds gauge
process_start_time_seconds 1.76e9
# TYPE other gauge
other 1
`

func ours(name string) bool { return strings.HasPrefix(name, "shop_") }

func TestMetrics(t *testing.T) {
	var scrapes atomic.Int32
	p := serve(t, func(w http.ResponseWriter, r *http.Request) {
		scrapes.Add(1)
		if r.URL.Path != "/metrics" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, page)
	})
	run, err := watch(t, probe.Metrics(probe.Scrape{Role: "app", Port: 8080, Every: 5 * time.Millisecond, Keep: ours, Boot: "shop_build_info"}), newEnv(t, map[string]*proc{"app-1": p, "store-1": newProc("")}),
		func() { eventually(t, "scrapes", func() bool { return scrapes.Load() > 5 }) })
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{
		`shop_build_info{boot="b7",replica="app-1",version="dev"}`: 1, "shop_active_requests": 3,
		`shop_requests_total{code="200",route="/v1/query"}`:      12,
		`shop_request_duration_seconds_sum{route="/v1/query"}`:   1.5,
		`shop_request_duration_seconds_count{route="/v1/query"}`: 7,
		"shop_summary_sum": 2, "shop_summary_count": 4, "shop_untyped": 9,
	}
	for _, s := range evidence.Samples.Of(run) {
		if s.Node != "app-1" || s.Boot != "b7" || s.Error != "" {
			t.Fatalf("%+v", s)
		}
		if fmt.Sprint(s.Values) != fmt.Sprint(want) {
			t.Fatalf("%v\nwant %v", s.Values, want)
		}
	}
	if n := p.resolved.Load(); n != 1 {
		t.Errorf("asked the driver %d times for the endpoint", n)
	}
}

// TestBootWithoutAnId: a service that has none of its own is told apart by the time of its start.
func TestBootWithoutAnId(t *testing.T) {
	var scrapes atomic.Int32
	p := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		scrapes.Add(1)
		fmt.Fprint(w, "# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds 1.7638e+09\n")
	})
	run, err := watch(t, probe.Metrics(probe.Scrape{Role: "web", Port: 80, Every: 5 * time.Millisecond, Keep: ours, Boot: "shop_build_info"}), newEnv(t, map[string]*proc{"web-1": p}),
		func() { eventually(t, "a scrape", func() bool { return scrapes.Load() > 1 }) })
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range evidence.Samples.Of(run) {
		if s.Boot != "1763800000" {
			t.Errorf("boot %q", s.Boot)
		}
	}
}

func TestFailedScrapes(t *testing.T) {
	for _, c := range []struct {
		name  string
		serve http.HandlerFunc
		want  string
	}{
		{"status", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, "status 503"},
		{"no metrics", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, "parse metrics"},
		{"cut", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "shop_x 1\n")
		}, "EOF"},
		{"silence", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "deadline exceeded"},
		{"nobody there", nil, "no such port"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newProc("")
			var asked atomic.Int32
			if c.serve != nil {
				p = serve(t, func(w http.ResponseWriter, r *http.Request) { asked.Add(1); c.serve(w, r) })
			}
			run, err := watch(t, probe.Metrics(probe.Scrape{Role: "app", Port: 8080, Every: 5 * time.Millisecond, Keep: ours, Boot: "shop_build_info"}), newEnv(t, map[string]*proc{"app-1": p}), func() {
				eventually(t, "failures", func() bool { return asked.Load()+p.resolved.Load() > 5 })
			})
			if err != nil {
				t.Fatal(err)
			}
			samples := evidence.Samples.Of(run)
			if len(samples) < 2 {
				t.Fatalf("%d samples", len(samples))
			}
			for _, s := range samples {
				if !strings.Contains(s.Error, c.want) || s.Values != nil {
					t.Errorf("%+v", s)
				}
			}
		})
	}
}

// TestASlowNodeDelaysNoOther: each node is scraped at its own pace.
func TestASlowNodeDelaysNoOther(t *testing.T) {
	var fast atomic.Int32
	release := make(chan struct{})
	slow := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	quick := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if fast.Add(1) == 20 {
			close(release) // not before the other has been asked twenty times
		}
	})
	if _, err := watch(t, probe.Metrics(probe.Scrape{Role: "app", Port: 8080, Every: 5 * time.Millisecond, Keep: ours, Boot: "shop_build_info"}), newEnv(t, map[string]*proc{"app-1": slow, "app-2": quick}),
		func() { eventually(t, "twenty scrapes", func() bool { return fast.Load() >= 20 }) }); err != nil {
		t.Fatal(err)
	}
}

func TestReadyRecordsChangesOnly(t *testing.T) {
	var up atomic.Bool
	var asked atomic.Int32
	p := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if !up.Load() || r.URL.Path != "/ready" {
			w.WriteHeader(503)
		}
	})
	some := func() {
		n := asked.Load()
		eventually(t, "questions", func() bool { return asked.Load() > n+3 })
	}
	run, err := watch(t, probe.Ready("app", 8080, "/ready", 5*time.Millisecond), newEnv(t, map[string]*proc{"app-1": p, "app-2": newProc("")}), func() {
		some()
		up.Store(true)
		some()
		up.Store(false)
		some()
	})
	if err != nil {
		t.Fatal(err)
	}
	var saw []string
	for _, o := range evidence.Observations.Of(run) {
		if o.Source != evidence.SourceReady || o.Detail == "" {
			t.Errorf("%+v", o)
		}
		saw = append(saw, o.Node+" "+o.What)
	}
	slices.Sort(saw)
	if want := []string{"app-1 down", "app-1 down", "app-1 up", "app-2 down"}; !slices.Equal(saw, want) {
		t.Errorf("%v, want %v", saw, want)
	}
}

// TestExits: each end is recorded once, with the engine's time and code, restarts in between or not.
func TestExits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newProc(""), newProc("")
		run, err := watch(t, probe.Exits(), newEnv(t, map[string]*proc{"a-1": a, "b-1": b}), func() {
			time.Sleep(time.Second)
			a.end(137)
			time.Sleep(5 * time.Second) // down for long, and asked about again and again
			a.start()
			time.Sleep(time.Second)
			a.end(0)
			time.Sleep(time.Second)
		})
		if err != nil {
			t.Fatal(err)
		}
		want := []evidence.Exit{{Node: "a-1", At: time.Second, Code: 137}, {Node: "a-1", At: 7 * time.Second, Code: 0}}
		if got := evidence.Exits.Of(run); !slices.Equal(got, want) {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
}

func TestExitsSaysWhatItCouldNotWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newProc(""), newProc("")
		a.broken = errors.New("engine gone")
		run, err := watch(t, probe.Exits(), newEnv(t, map[string]*proc{"a-1": a, "b-1": b}), func() {
			time.Sleep(time.Second)
			b.end(1)
			time.Sleep(time.Second)
		})
		if !errors.Is(err, a.broken) || !strings.Contains(err.Error(), "a-1") {
			t.Errorf("%v", err)
		}
		if n := len(evidence.Exits.Of(run)); n != 1 {
			t.Errorf("%d exits of the node that could be watched", n)
		}
	})
}
