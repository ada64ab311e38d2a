package probe

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/sentinel-chaos/sentinel/harness/env"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Scrape says what is scraped of the nodes of a role.
type Scrape struct {
	Role  string
	Port  int
	Every time.Duration
	Keep  func(name string) bool // reports whether a metric is recorded
	// Boot is a metric whose label "boot" tells one start of the process from the next. Without it, the time of the start does:
	// process_start_time_seconds.
	Boot string
}

const (
	bootLabel    = "boot"
	processStart = "process_start_time_seconds"
)

// MetricSeries counts the series of a page, by the name that Prometheus has for it. It is recorded if the Scrape keeps it.
const MetricSeries = "scrape_samples_scraped"

// Metrics scrapes /metrics of every node of the role. Counters, gauges and untyped metrics are recorded as they are, histograms
// and summaries by their _sum and _count.
func Metrics(what Scrape) Probe { return metricsOver(dial, what) }

func metricsOver(dial dialer, what Scrape) Probe {
	return Probe{
		Name: "metrics " + what.Role,
		Watch: func(ctx context.Context, e *env.Env, rec *evidence.Recorder) error {
			return pollAll(ctx, dial, e.Role(what.Role), what.Port, what.Every, func(n *env.Node) func(context.Context, *asker) {
				return func(ctx context.Context, a *asker) {
					s := evidence.Sample{At: rec.Now(), Node: n.Name}
					if err := what.scrape(ctx, a, &s); err != nil {
						s.Values, s.Error = nil, err.Error()
					}
					s.Took = rec.Now() - s.At
					if ctx.Err() == nil || s.Error == "" {
						evidence.Samples.Put(rec, s)
					}
				}
			})
		},
	}
}

func (w Scrape) scrape(ctx context.Context, a *asker, into *evidence.Sample) error {
	status, err := a.get(ctx, "/metrics", func(body io.Reader) error {
		families, err := parseFamilies(body)
		if err != nil {
			return err
		}
		into.Boot, into.Values = w.boot(families), values(families, w.Keep)
		if w.Keep(MetricSeries) {
			into.Values[MetricSeries] = float64(series(families))
		}
		return nil
	})
	if err == nil && status != http.StatusOK {
		return fmt.Errorf("status %d", status)
	}
	return err
}

// ParseMetrics reads a page of metrics as Metrics does: the values of those that keep wants, by name and labels. Values that are no
// finite numbers are left out.
func ParseMetrics(page io.Reader, keep func(name string) bool) (map[string]float64, error) {
	families, err := parseFamilies(page)
	return values(families, keep), err
}

func parseFamilies(page io.Reader) (map[string]*dto.MetricFamily, error) {
	p := expfmt.NewTextParser(model.UTF8Validation)
	families, err := p.TextToMetricFamilies(page)
	if err != nil {
		return nil, fmt.Errorf("parse metrics: %w", err)
	}
	return families, nil
}

func (w Scrape) boot(families map[string]*dto.MetricFamily) string {
	for _, m := range families[w.Boot].GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == bootLabel {
				return l.GetValue()
			}
		}
	}
	for _, m := range families[processStart].GetMetric() {
		return strconv.FormatFloat(m.GetGauge().GetValue(), 'f', -1, 64)
	}
	return ""
}

func values(families map[string]*dto.MetricFamily, keep func(string) bool) map[string]float64 {
	out := map[string]float64{}
	for name, f := range families {
		if !keep(name) {
			continue
		}
		for _, m := range f.GetMetric() {
			put(out, name, f.GetType(), m)
		}
	}
	maps.DeleteFunc(out, func(_ string, v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }) // JSON knows neither
	return out
}

// series is how many lines with values the families have on a page.
func series(families map[string]*dto.MetricFamily) (n int) {
	const sumAndCount = 2
	for _, f := range families {
		for _, m := range f.GetMetric() {
			switch {
			case m.GetHistogram() != nil:
				n += len(m.GetHistogram().GetBucket()) + sumAndCount
			case m.GetSummary() != nil:
				n += len(m.GetSummary().GetQuantile()) + sumAndCount
			default:
				n++
			}
		}
	}
	return n
}

func put(out map[string]float64, name string, t dto.MetricType, m *dto.Metric) {
	labels := labelsOf(m)
	switch t {
	case dto.MetricType_COUNTER:
		out[name+labels] = m.GetCounter().GetValue()
	case dto.MetricType_GAUGE:
		out[name+labels] = m.GetGauge().GetValue()
	case dto.MetricType_HISTOGRAM, dto.MetricType_GAUGE_HISTOGRAM:
		out[name+"_sum"+labels] = m.GetHistogram().GetSampleSum()
		out[name+"_count"+labels] = float64(m.GetHistogram().GetSampleCount())
	case dto.MetricType_SUMMARY:
		out[name+"_sum"+labels] = m.GetSummary().GetSampleSum()
		out[name+"_count"+labels] = float64(m.GetSummary().GetSampleCount())
	default:
		out[name+labels] = m.GetUntyped().GetValue()
	}
}

// labelsOf writes {a="1",b="2"}, by name, or nothing.
func labelsOf(m *dto.Metric) string {
	if len(m.GetLabel()) == 0 {
		return ""
	}
	pairs := make([]string, len(m.GetLabel()))
	for i, l := range m.GetLabel() {
		pairs[i] = l.GetName() + "=" + strconv.Quote(l.GetValue())
	}
	slices.Sort(pairs)
	return "{" + strings.Join(pairs, ",") + "}"
}
