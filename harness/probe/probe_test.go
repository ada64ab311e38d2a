package probe_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
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

// wires are a network in a bubble: on it, too, all takes the time that it is to take, and no longer.
type wires map[string]chan net.Conn // that are to be accepted, by endpoint

// wire has a handler answer at each endpoint until the test ends.
func wire(t *testing.T, handlers map[string]http.HandlerFunc) wires {
	t.Helper()
	w := wires{}
	for endpoint, h := range handlers {
		l := listener{make(chan net.Conn), make(chan struct{})}
		w[endpoint] = l.conns
		s := &http.Server{Handler: h}
		served := make(chan error)
		go func() { served <- s.Serve(l) }()
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if err := <-served; !errors.Is(err, http.ErrServerClosed) {
				t.Error(err)
			}
		})
	}
	return w
}

func (w wires) dial(ctx context.Context, _, endpoint string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case w[endpoint] <- far:
		return near, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type listener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l listener) Close() error { close(l.closed); return nil }

func (l listener) Addr() net.Addr { return &net.TCPAddr{} }

// sixLooks waits for a probe that looks every 5 ms, and now.
func sixLooks() { time.Sleep(26 * time.Millisecond) }

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

const app = "app-1:80" // the endpoint of the node of that name

// scraped are the samples of a node whose page is this, every 5 ms in that time.
func scraped(t *testing.T, what probe.Scrape, page http.HandlerFunc, during func()) (all []evidence.Sample, p *proc) {
	t.Helper()
	what.Role, what.Port, what.Every = "app", 80, 5*time.Millisecond
	p = newProc(app)
	w := wire(t, map[string]http.HandlerFunc{app: page})
	run, err := watch(t, probe.MetricsOver(w.dial, what), newEnv(t, map[string]*proc{"app-1": p, "store-1": newProc("")}), during)
	if err != nil {
		t.Fatal(err)
	}
	return evidence.Samples.Of(run), p
}

func TestMetrics(t *testing.T) {
	want := map[string]float64{
		`shop_build_info{boot="b7",replica="app-1",version="dev"}`: 1, "shop_active_requests": 3,
		`shop_requests_total{code="200",route="/v1/query"}`:      12,
		`shop_request_duration_seconds_sum{route="/v1/query"}`:   1.5,
		`shop_request_duration_seconds_count{route="/v1/query"}`: 7,
		"shop_summary_sum": 2, "shop_summary_count": 4, "shop_untyped": 9,
	}
	synctest.Test(t, func(t *testing.T) {
		all, p := scraped(t, probe.Scrape{Keep: ours, Boot: "shop_build_info"}, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/metrics" {
				http.NotFound(w, r)
				return
			}
			fmt.Fprint(w, page)
		}, sixLooks)
		if len(all) != 6 {
			t.Errorf("%d samples", len(all))
		}
		for _, s := range all {
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
	})
}

// TestSeries: each line with a value is a series, whether its metric is kept or not.
func TestSeries(t *testing.T) {
	lines := 0
	for line := range strings.Lines(page) {
		if !strings.HasPrefix(line, "#") && strings.TrimSpace(line) != "" {
			lines++
		}
	}
	counted := func(name string) bool { return name == probe.MetricSeries }
	synctest.Test(t, func(t *testing.T) {
		all, _ := scraped(t, probe.Scrape{Keep: counted}, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, page) }, sixLooks)
		for _, s := range all {
			if want := map[string]float64{probe.MetricSeries: float64(lines)}; !maps.Equal(s.Values, want) {
				t.Errorf("%v, want %v", s.Values, want)
			}
		}
	})
}

// TestBootWithoutAnId: a service that has none of its own is told apart by the time of its start.
func TestBootWithoutAnId(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, _ := scraped(t, probe.Scrape{Keep: ours, Boot: "shop_build_info"}, func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds 1.7638e+09\n")
		}, sixLooks)
		for _, s := range all {
			if s.Boot != "1763800000" {
				t.Errorf("boot %q", s.Boot)
			}
		}
	})
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
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				all, _ := scraped(t, probe.Scrape{Keep: ours}, c.serve, func() { time.Sleep(1200 * time.Millisecond) })
				if len(all) < 2 {
					t.Fatalf("%d samples", len(all))
				}
				for _, s := range all {
					if !strings.Contains(s.Error, c.want) || s.Values != nil {
						t.Errorf("%+v", s)
					}
				}
			})
		})
	}
}

// TestNobodyToScrape: each time, it is asked anew where the node is.
func TestNobodyToScrape(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProc("")
		scrape := probe.Scrape{Role: "app", Port: 80, Every: 5 * time.Millisecond, Keep: ours}
		run, err := watch(t, probe.Metrics(scrape), newEnv(t, map[string]*proc{"app-1": p}), sixLooks)
		all := evidence.Samples.Of(run)
		if err != nil || len(all) != 6 || p.resolved.Load() != 6 {
			t.Errorf("%v, %d samples, asked %d times", err, len(all), p.resolved.Load())
		}
		for _, s := range all {
			if !strings.Contains(s.Error, "no such port") || s.Values != nil {
				t.Errorf("%+v", s)
			}
		}
	})
}

// TestASlowNodeDelaysNoOther: each node is scraped at its own pace.
func TestASlowNodeDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wire(t, map[string]http.HandlerFunc{
			"slow:80":  func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
			"quick:80": func(http.ResponseWriter, *http.Request) {},
		})
		scrape := probe.Scrape{Role: "app", Port: 80, Every: 5 * time.Millisecond, Keep: ours}
		run, err := watch(t, probe.MetricsOver(w.dial, scrape), newEnv(t, map[string]*proc{"app-1": newProc("slow:80"), "app-2": newProc("quick:80")}), sixLooks)
		var of []string
		for _, s := range evidence.Samples.Of(run) {
			of = append(of, s.Node+s.Error)
		}
		if err != nil || !slices.Equal(of, slices.Repeat([]string{"app-2"}, 6)) {
			t.Errorf("%q, %v", of, err)
		}
	})
}

func TestReadyRecordsChangesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var up atomic.Bool
		w := wire(t, map[string]http.HandlerFunc{app: func(w http.ResponseWriter, r *http.Request) {
			if !up.Load() || r.URL.Path != "/ready" {
				w.WriteHeader(503)
			}
		}})
		ready := probe.ReadyOver(w.dial, "app", 80, "/ready", 5*time.Millisecond)
		run, err := watch(t, ready, newEnv(t, map[string]*proc{"app-1": newProc(app), "app-2": newProc("")}), func() {
			for _, is := range []bool{false, true, false} {
				up.Store(is)
				sixLooks()
			}
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
	})
}

// TestAsksOverTheNetwork: all of the above is over wires of the tests; this is over the network that nodes are on.
func TestAsksOverTheNetwork(t *testing.T) {
	asked := make(chan string, 1)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case asked <- r.URL.Path:
		default: // it is asked again and again
		}
	}))
	defer s.Close()
	for path, p := range map[string]probe.Probe{"/ready": probe.Ready("app", 80, "/ready", time.Millisecond),
		"/metrics": probe.Metrics(probe.Scrape{Role: "app", Port: 80, Every: time.Millisecond, Keep: ours})} {
		_, err := watch(t, p, newEnv(t, map[string]*proc{"app-1": newProc(s.Listener.Addr().String())}), func() {
			for <-asked != path {
			}
		})
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
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
