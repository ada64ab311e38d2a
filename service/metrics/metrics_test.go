package metrics_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/service"
	"github.com/sentinel-chaos/sentinel/service/metrics"
)

func TestExposition(t *testing.T) {
	m := metrics.New("gateway-1", "boot-1", "v1")
	var g service.Gauge
	g.Inc()
	g.Inc()
	g.Dec()
	m.Gauge("sentinel_active_requests", "Requests.", &g)
	m.Pool("redis", func() (int, int) { return 3, 4 })
	m.HeldBack(func() []string { return []string{"a", "b"} }, func() []service.HeldBack {
		return []service.HeldBack{{Model: "a", Until: time.Now().Add(-time.Hour)}, {Model: "b", Until: time.Now().Add(time.Hour), Tenants: 3},
			{Model: "c", Until: time.Now().Add(time.Hour), Tenants: 2}, {Model: "d", Until: time.Now().Add(time.Hour), Tenants: 1}}
	})
	m.Served("/v1/query", 200, time.Millisecond)
	m.Looked("hit")
	m.Limited("key", "shared")
	m.Called("ok")
	m.Charged(42)
	m.Panicked()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	lines := map[string]bool{}
	for line := range strings.Lines(w.Body.String()) {
		lines[strings.TrimSpace(line)] = true
	}
	for _, want := range []string{
		`sentinel_active_requests 1`,
		`sentinel_active_requests_high_water 2`,
		`sentinel_build_info{boot="boot-1",replica="gateway-1",version="v1"} 1`,
		`sentinel_requests_total{code="200",route="/v1/query"} 1`,
		`sentinel_request_duration_seconds_count{route="/v1/query"} 1`,
		`sentinel_cache_total{result="hit"} 1`,
		`sentinel_rate_limited_total{bucket="shared",limit="key"} 1`,
		`sentinel_llm_calls_total{outcome="ok"} 1`,
		`sentinel_llm_cost_nanousd_total 42`,
		`sentinel_panics_total 1`,
		`sentinel_llm_held_back_seconds{model="a"} 0`,
		`sentinel_llm_held_back_seconds{model="b"} 0`,
		`sentinel_llm_held_back_tenants{model="a"} 0`,
		`sentinel_llm_held_back_tenants{model="b"} 3`,
		`sentinel_llm_held_back_seconds{model="other"} 0`,
		`sentinel_llm_held_back_tenants{model="other"} 3`,
		`sentinel_pool_connections{pool="redis",state="used"} 3`,
		`sentinel_pool_connections{pool="redis",state="idle"} 4`,
	} {
		if !lines[want] {
			t.Errorf("missing %s", want)
		}
	}
	for _, name := range []string{"go_goroutines ", "process_open_fds ", "process_start_time_seconds "} {
		if !strings.Contains(w.Body.String(), "\n"+name) {
			t.Errorf("missing %s", name)
		}
	}
}
