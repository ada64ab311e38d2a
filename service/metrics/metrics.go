// Package metrics exposes the gateway's figures to Prometheus.
package metrics

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sentinel-chaos/sentinel/service"
)

// Metrics is one process's registry and its counters. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	cache    *prometheus.CounterVec
	limited  *prometheus.CounterVec
	calls    *prometheus.CounterVec
	cost     prometheus.Counter
	panics   prometheus.Counter
}

// New makes the registry of one boot of one replica.
func New(replica, boot, version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sentinel_requests_total", Help: "Requests answered, by route and status code.",
		}, []string{"route", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "sentinel_request_duration_seconds", Help: "Time from a request's arrival to the end of its answer.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 16), // 0.5 ms, a fast hit, to 16 s, beyond any deadline
		}, []string{"route"}),
		cache: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sentinel_cache_total", Help: "Looks into the cache, by result: hit, miss, unavailable.",
		}, []string{"result"}),
		limited: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sentinel_rate_limited_total",
			Help: "Requests refused for a rate limit, by what the limit is for (key, address) and whose bucket was empty (shared, own).",
		}, []string{"limit", "bucket"}),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sentinel_llm_calls_total", Help: "Attempts to call the LLM, by outcome.",
		}, []string{"outcome"}),
		cost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sentinel_llm_cost_nanousd_total", Help: "Price of the LLM calls that are booked, in nano-dollars.",
		}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sentinel_panics_total", Help: "Panics that were recovered from, each of which is one line of the log.",
		}),
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "sentinel_build_info", Help: "1, with the replica, the boot and the version as labels.",
		ConstLabels: prometheus.Labels{"replica": replica, "boot": boot, "version": version},
	})
	info.Set(1)
	m.registry.MustRegister(m.requests, m.duration, m.cache, m.limited, m.calls, m.cost, m.panics, info,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Gauge exposes g under name, and its largest value under name_high_water.
func (m *Metrics) Gauge(name, help string, g *service.Gauge) {
	m.Func(name, help, nil, func() float64 { return float64(g.Now()) })
	m.Func(name+"_high_water", "Largest value since boot. "+help, nil, func() float64 { return float64(g.HighWater()) })
}

// Func exposes a gauge that is read when it is scraped.
func (m *Metrics) Func(name, help string, labels map[string]string, read func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}, read))
}

// heldBack collects for how long models are held back.
type heldBack struct {
	seconds, tenants *prometheus.Desc
	models           func() []string
	read             func() []service.HeldBack
}

// otherModels is the label of models that are not among the named ones: clients may make names up, and labels must be few.
const otherModels = "other"

// HeldBack exposes for how much longer each of the named models is held back, from everybody or from some tenants. All others are one.
func (m *Metrics) HeldBack(models func() []string, read func() []service.HeldBack) {
	label := []string{"model"}
	m.registry.MustRegister(heldBack{
		prometheus.NewDesc("sentinel_llm_held_back_seconds", "For how much longer no call of the model is made for anybody; 0 if calls are made.", label, nil),
		prometheus.NewDesc("sentinel_llm_held_back_tenants", "Tenants for whom alone no call of the model is made.", label, nil),
		models, read,
	})
}

// Describe tells of the metrics.
func (h heldBack) Describe(descs chan<- *prometheus.Desc) { prometheus.DescribeByCollect(h, descs) }

// Collect reads them.
func (h heldBack) Collect(metrics chan<- prometheus.Metric) {
	seconds, tenants := map[string]float64{otherModels: 0}, map[string]int{}
	for _, name := range h.models() {
		seconds[name] = 0
	}
	for _, b := range h.read() {
		name := b.Model
		if _, named := seconds[name]; !named {
			name = otherModels
		}
		if tenants[name] += b.Tenants; b.Tenants == 0 {
			seconds[name] = max(seconds[name], time.Until(b.Until).Seconds())
		}
	}
	for name, rest := range seconds {
		metrics <- prometheus.MustNewConstMetric(h.seconds, prometheus.GaugeValue, rest, name)
		metrics <- prometheus.MustNewConstMetric(h.tenants, prometheus.GaugeValue, float64(tenants[name]), name)
	}
}

// Up exposes whether a dependency is available.
func (m *Metrics) Up(name string, up func() bool) {
	m.Func("sentinel_dependency_unavailable", "1 while the dependency does not answer and only probes in the background ask it.",
		map[string]string{"dependency": name}, func() float64 {
			if up() {
				return 0
			}
			return 1
		})
}

// Pool exposes the connections of a pool.
func (m *Metrics) Pool(name string, read func() (used, idle int)) {
	const metric, help = "sentinel_pool_connections", "Connections of a pool, by use."
	m.Func(metric, help, map[string]string{"pool": name, "state": "used"}, func() float64 {
		used, _ := read()
		return float64(used)
	})
	m.Func(metric, help, map[string]string{"pool": name, "state": "idle"}, func() float64 {
		_, idle := read()
		return float64(idle)
	})
}

// Served counts one answered request.
func (m *Metrics) Served(route string, code int, took time.Duration) {
	m.requests.WithLabelValues(route, strconv.Itoa(code)).Inc()
	m.duration.WithLabelValues(route).Observe(took.Seconds())
}

// Looked counts one look into the cache.
func (m *Metrics) Looked(result string) { m.cache.WithLabelValues(result).Inc() }

// Limited counts one request that was refused for a limit of that kind, by the shared bucket or the replica's own.
func (m *Metrics) Limited(kind, bucket string) { m.limited.WithLabelValues(kind, bucket).Inc() }

// Called counts one attempt to call the LLM.
func (m *Metrics) Called(outcome string) { m.calls.WithLabelValues(outcome).Inc() }

// Charged adds the price of a call, in nano-dollars.
func (m *Metrics) Charged(nanousd int64) { m.cost.Add(float64(nanousd)) }

// Panicked counts one panic that was recovered from.
func (m *Metrics) Panicked() { m.panics.Inc() }
