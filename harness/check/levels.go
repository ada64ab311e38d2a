package check

import (
	"maps"
	"slices"
	"strings"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// How far above its level after the warm-up a resource may end: whichever is more.
const (
	leakShare = 0.10
	leakCount = 10
)

// isLevel says whether a metric counts a resource that a process may leak: goroutines, file descriptors, connections of a
// pool.
func isLevel(name string) bool {
	base, _, _ := strings.Cut(name, "{")
	return base == "go_goroutines" || base == "process_open_fds" || strings.HasSuffix(base, "_pool_connections")
}

// level compares the last scrape with the last one before the load. A replica that was started since is compared with what
// it was before: the same program under the same load. What is held by idle connections may take as long to go as a gauge
// may take to return to zero; a run that ended sooner proves no leak.
func (g *gauges) level(r *replica, end evidence.Sample) {
	var before map[string]float64
	for _, s := range r.samples {
		if s.At > g.warm {
			break
		}
		if s.Error == "" {
			before = s.Values
		}
	}
	if before == nil {
		g.doubts("%s was not scraped between warm-up and load", r.name)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(end.Values)) {
		was, known := before[name]
		now := end.Values[name]
		if !known || !isLevel(name) || now <= was+max(leakShare*was, leakCount) {
			continue
		}
		report := g.doubts
		if end.At > g.rest+zeroWithin {
			report = g.breaks
		}
		report("%s of %s rose from %g after the warm-up to %g, %.1f s after the last response", name, r.name, was, now, (end.At - g.rest).Seconds())
	}
}
