package check

import (
	"fmt"
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

const (
	// zeroWithin is how soon after the last response, or the last end in the upstream's ledger, a gauge must be zero.
	zeroWithin = 5 * time.Second
	// highWater is the suffix of the gauge that keeps another gauge's largest value since the process started: a scrape
	// ten times a second misses peaks.
	highWater = "_high_water"
)

// GaugesReturnToZero: on every replica each of the gauges was never negative, in any boot, and in its last boot is zero
// within 5 s of the last response or ledger end, whichever is later, and stays so. Its high-water mark was above zero on
// some replica, else nothing was tested. Goroutines, file descriptors and pool connections end at most 10 % or 10 above
// their level after the warm-up, whichever is more. Unknown if a replica could not be scraped at the end, or if what is
// too high then was last scraped before the 5 s were over, or if the load never began: nobody knows then when the last
// response was.
func GaugesReturnToZero(names ...string) Check {
	return complete("GaugesReturnToZero", func(run *evidence.Run) Verdict {
		g := gauges{names: names, rest: lastActivity(run), peak: map[string]float64{}}
		g.warm, g.loaded = loadStart(run)
		for _, r := range replicas(run) {
			g.replica(r)
		}
		figures := g.figures()
		switch {
		case len(g.broken) > 0:
			return fail(figures, nil, "%s", g.broken[0])
		case len(g.unproven) > 0:
			return unknown("%s", g.unproven[0]).with(figures)
		}
		for _, name := range names {
			if g.peak[name] <= 0 {
				return unknown("%s was never above zero on any replica", name).with(figures)
			}
		}
		return pass(figures, "%d gauges are back at zero on %d replicas and nothing leaked", len(names), g.replicas)
	})
}

// lastActivity is the last response or the last end of an upstream call.
func lastActivity(run *evidence.Run) time.Duration {
	return time.Duration(evidence.Derive(run, newActivity))
}

// activity is the moment of the last one.
type activity time.Duration

func newActivity(run *evidence.Run) activity {
	var last time.Duration
	for _, c := range eachBrief(run) {
		last = max(last, c.End)
	}
	for _, u := range run.EachUpstream() {
		last = max(last, u.Ended)
	}
	return activity(last)
}

// replica is one node of the service and what was scraped of it.
type replica struct {
	name    string
	samples []evidence.Sample
	ended   time.Duration // its last exit; 0 if it never ended
}

func replicas(run *evidence.Run) (all []*replica) {
	byName := map[string]*replica{}
	for n := range run.Nodes() {
		if n.Subject {
			r := &replica{name: n.Name}
			byName[n.Name] = r
			all = append(all, r)
		}
	}
	for s := range run.Samples() {
		if r := byName[s.Node]; r != nil {
			r.samples = append(r.samples, s)
		}
	}
	for e := range run.Exits() {
		if r := byName[e.Node]; r != nil {
			r.ended = e.At
		}
	}
	return all
}

// atRest are the scrapes of the last boot since the system has been at rest.
func (r *replica) atRest(since time.Duration) (rest []evidence.Sample) {
	for _, s := range slices.Backward(r.samples) {
		if s.At <= since || s.At <= r.ended || s.Error != "" || len(rest) > 0 && s.Boot != rest[0].Boot {
			break
		}
		rest = append(rest, s)
	}
	slices.Reverse(rest)
	return rest
}

// gauges gathers the findings over all replicas.
type gauges struct {
	names      []string
	warm, rest time.Duration
	loaded     bool // the load began
	replicas   int
	peak       map[string]float64
	broken     []string
	unproven   []string
}

func (g *gauges) breaks(format string, args ...any) {
	g.broken = append(g.broken, fmt.Sprintf(format, args...))
}

func (g *gauges) doubts(format string, args ...any) {
	g.unproven = append(g.unproven, fmt.Sprintf(format, args...))
}

func (g *gauges) replica(r *replica) {
	g.replicas++
	for _, s := range r.samples {
		g.neverNegative(s)
	}
	rest := r.atRest(g.rest)
	switch {
	case !g.loaded:
		g.doubts("the start of the load is not recorded")
		return
	case len(rest) == 0:
		g.doubts("%s could not be scraped after the last response", r.name)
		return
	}
	for _, name := range g.names {
		g.zero(r.name, name, rest)
	}
	g.level(r, rest[len(rest)-1])
}

func (g *gauges) neverNegative(s evidence.Sample) {
	for _, name := range g.names {
		if v := s.Values[name]; v < 0 {
			g.breaks("%s was %g on %s", name, v, s.Node)
		}
		g.peak[name] = max(g.peak[name], s.Values[name+highWater])
	}
}

// zero judges one gauge on the scrapes at rest: zero in the last one, and in all that come after the time allowed.
func (g *gauges) zero(node, name string, rest []evidence.Sample) {
	for i, s := range rest {
		v, exported := s.Values[name]
		late := s.At > g.rest+zeroWithin
		switch {
		case !exported:
			g.doubts("%s does not export %s", node, name)
			return
		case v != 0 && late:
			g.breaks("%s is %g on %s, %.1f s after the last response", name, v, node, (s.At - g.rest).Seconds())
			return
		case v != 0 && i == len(rest)-1:
			g.doubts("%s was still %g on %s at the last scrape, %.1f s after the last response", name, v, node, (s.At - g.rest).Seconds())
		}
	}
}

func (g *gauges) figures() map[string]float64 {
	f := map[string]float64{"replicas": float64(g.replicas)}
	for _, name := range g.names {
		f[name+highWater] = g.peak[name]
	}
	return f
}
