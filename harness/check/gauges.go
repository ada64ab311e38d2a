package check

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Gauges names metrics of a service that show whether it cleans up behind its requests.
type Gauges struct {
	// InFlight count what is going on, and must return to zero.
	InFlight []string
	// HighWater is the suffix of the gauge that keeps another gauge's largest value since the process started: a scrape ten
	// times a second misses peaks.
	HighWater string
	// Held count what the process may fail to give back, such as connections of a pool, without their labels. Goroutines and
	// file descriptors, which Prometheus clients export, are watched in any case.
	Held []string
	// Since is when the last activity was over, if that may be later than the last response; nil if not.
	Since func(*Run) time.Duration
}

const (
	// ZeroWithin is how soon after the last activity a gauge must be zero.
	ZeroWithin = 5 * time.Second
	// leakShare and leakCount are how far above its level after the warm-up a resource may end: whichever is more.
	leakShare = 0.10
	leakCount = 10
)

// GaugesReturnToZero: on every replica each of the gauges in flight was never negative, in any boot, and in its last boot is zero
// within 5 s of the last activity, and stays so. Its high-water mark was above zero on some replica, else nothing was tested.
// What a process holds ends at most 10 % or 10 above its level after the warm-up, whichever is more.
// A rise proves nothing if requests of the warm-up were not answered ok: that level is not the one under load.
//
// Unknown if a replica could not be scraped at the end, or if what is too high then was last scraped before the 5 s were over, or
// if the load never began: nobody knows then when the last activity was.
func GaugesReturnToZero(names Gauges) Check {
	return New("GaugesReturnToZero", func(r *Run) (Verdict, error) {
		g := gauges{Gauges: names, rest: LastResponse(r.Run), peak: map[string]float64{}, cold: len(evidence.Warmup.Of(r.Run)) > 0}
		if names.Since != nil {
			g.rest = max(g.rest, names.Since(r))
		}
		load, unloaded := r.Load()
		if unloaded != nil {
			g.doubts("%w", unloaded)
		}
		for _, p := range Replicas(r.Run) {
			g.replicas++
			g.neverNegative(&p)
			if unloaded == nil {
				g.atRest(&p, load.From)
			}
		}
		for _, name := range names.InFlight {
			if g.peak[name] <= 0 {
				g.doubts("%s was never above zero on any replica", name)
			}
		}
		if len(names.InFlight) == 0 && g.compared == 0 {
			g.doubts("no replica exported anything that it may hold before and after the load")
		}
		return g.verdict(g.figures(), "%d gauges are back at zero on %d replicas and nothing leaked", len(names.InFlight), g.replicas)
	})
}

// gauges gathers the findings over all replicas.
type gauges struct {
	Gauges
	finding
	rest     time.Duration // the last activity was over then
	replicas int
	compared int  // what replicas hold that was exported before and after the load
	cold     bool // requests of the warm-up were not answered ok
	peak     map[string]float64
}

func (g *gauges) neverNegative(r *Replica) {
	for _, s := range r.Samples {
		for _, name := range g.InFlight {
			if v := s.Values[name]; v < 0 {
				g.breaks("%s was %g on %s", name, v, s.Node)
			}
			g.peak[name] = max(g.peak[name], s.Values[name+g.HighWater])
		}
	}
}

// atRest judges what was scraped of a replica after the last activity.
func (g *gauges) atRest(r *Replica, loadFrom time.Duration) {
	rest := r.AtRest(g.rest)
	if len(rest) == 0 {
		g.doubts("%s could not be scraped after the last response", r.Name)
		return
	}
	for _, name := range g.InFlight {
		g.zero(r.Name, name, rest)
	}
	g.level(r, loadFrom, rest[len(rest)-1])
}

// zero judges one gauge on the scrapes at rest: zero in the last one, and in all that come after the time allowed.
func (g *gauges) zero(node, name string, rest []evidence.Sample) {
	for i, s := range rest {
		v, exported := s.Values[name]
		switch {
		case !exported:
			g.doubts("%s does not export %s", node, name)
		case v != 0 && s.At > g.rest+ZeroWithin:
			g.breaks("%s is %g on %s, %.1f s after the last response", name, v, node, (s.At - g.rest).Seconds())
			return
		case v != 0 && i == len(rest)-1:
			g.doubts("%s was still %g on %s at the last scrape, %.1f s after the last response", name, v, node, (s.At - g.rest).Seconds())
		}
	}
}

// level compares the last scrape with the last one before the load. A replica that was started since is compared with what
// it was before: the same program under the same load. What is held by idle connections may take as long to go as a gauge
// may take to return to zero; a run that ended sooner proves no leak. Of a metric that had series before, one with other labels
// that came later was zero.
func (g *gauges) level(r *Replica, loadFrom time.Duration, end evidence.Sample) {
	var before map[string]float64
	for _, s := range r.Samples {
		if s.At <= loadFrom && s.Error == "" {
			before = s.Values
		}
	}
	if before == nil {
		g.doubts("%s was not scraped between warm-up and load", r.Name)
		return
	}
	for _, name := range g.Held {
		if !exports(before, name) || !exports(end.Values, name) {
			g.doubts("%s does not export %s", r.Name, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(end.Values)) {
		was, known := before[name]
		now := end.Values[name]
		if !g.isHeld(name) || !known && !exports(before, baseName(name)) {
			continue
		}
		g.compared++
		if now <= was+max(leakShare*was, leakCount) {
			continue
		}
		report := g.doubts
		if end.At > g.rest+ZeroWithin && !g.cold {
			report = g.breaks
		}
		report("%s of %s rose from %g after the warm-up to %g, %.1f s after the last response", name, r.Name, was, now, (end.At - g.rest).Seconds())
	}
}

// isHeld reports whether a metric counts what a process may fail to give back.
func (g *gauges) isHeld(name string) bool {
	base := baseName(name)
	return base == "go_goroutines" || base == "process_open_fds" || slices.Contains(g.Held, base)
}

// exports reports whether there is a series of that metric, whatever its labels.
func exports(values map[string]float64, metric string) bool {
	for name := range values {
		if baseName(name) == metric {
			return true
		}
	}
	return false
}

// baseName is a metric's name without its labels.
func baseName(metric string) string {
	base, _, _ := strings.Cut(metric, "{")
	return base
}

func (g *gauges) figures() map[string]float64 {
	f := map[string]float64{"replicas": float64(g.replicas)}
	for _, name := range g.InFlight {
		f[name+g.HighWater] = g.peak[name]
	}
	return f
}
