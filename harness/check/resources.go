package check

import (
	"fmt"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Use is something that a process uses more of when it leaks.
type Use struct {
	Metric string
	Slack  float64 // in the metric's own unit; growth by less is no leak
}

// leastScrapes is how many scrapes of one process a quarter of the load must hold for the least of them to be what it needs.
const leastScrapes = 100

// FlatUse: no replica used more and more. Of each metric, the least that was scraped in the last quarter of the load is no
// more than that share, 0 to 1, above the least of the second quarter, or by that metric's slack, whichever is more. The first
// quarter is for caches and pools to fill. The least is what is left when garbage was just collected and nothing is in
// flight; what is kept for each request adds to it. Unknown if no metric is named, or a replica was started anew in between,
// does not export a metric, or was not scraped often enough.
func FlatUse(share float64, uses ...Use) Check {
	return New("FlatUse", func(r *Run) (Verdict, error) {
		load, err := r.Load()
		if err != nil {
			return Verdict{}, err
		}
		f := flatness{share: share, second: quarter(load, 1), last: quarter(load, 3), figures: map[string]float64{}}
		all := Replicas(r.Run)
		for _, p := range all {
			for _, u := range uses {
				f.judge(&p, u)
			}
		}
		if len(uses) == 0 {
			f.doubts("no metric is named")
		}
		if _, err := r.NeedSubjects(); err != nil {
			f.doubts("%w", err)
		}
		return f.verdict(f.figures, "what %d replicas use did not grow from the second quarter of the load to the last", len(all))
	})
}

// quarter is the n-th quarter of a window, counted from 0.
func quarter(w evidence.Window, n time.Duration) evidence.Span {
	length := (w.To - w.From) / 4
	return evidence.Span{From: w.From + n*length, To: w.From + (n+1)*length}
}

// flatness gathers the findings over all replicas and uses.
type flatness struct {
	finding
	share        float64
	second, last evidence.Span
	figures      map[string]float64
}

func (f *flatness) judge(r *Replica, u Use) {
	before, err := r.leastOf(u.Metric, f.second)
	after, errAfter := r.leastOf(u.Metric, f.last)
	switch {
	case err == nil && errAfter == nil && before.Boot != after.Boot:
		err = r.startedAnew()
	case err == nil:
		err = errAfter
	}
	if err != nil {
		f.doubts("%w", err)
		return
	}
	was, is := before.Values[u.Metric], after.Values[u.Metric]
	growth := u.Metric + "_growth"
	f.figures[growth] = max(f.figures[growth], is-was)
	if is > was+max(f.share*was, u.Slack) {
		f.breaks("%s of %s was never below %g in the last quarter of the load, and had been as low as %g in the second", u.Metric, r.Name, is, was)
	}
}

// leastOf finds the scrape of a stretch with the least of a metric. The error says why there is none to go by.
func (r *Replica) leastOf(metric string, within evidence.Span) (least evidence.Sample, err error) {
	n := 0
	for _, s := range r.Samples {
		if s.Error != "" || !within.Holds(s.At) {
			continue
		}
		v, exported := s.Values[metric]
		switch {
		case !exported:
			return least, fmt.Errorf("%s does not export %s", r.Name, metric)
		case n > 0 && s.Boot != least.Boot:
			return least, r.startedAnew()
		case n == 0 || v < least.Values[metric]:
			least = s
		}
		n++
	}
	if n < leastScrapes {
		return least, fmt.Errorf("%s was scraped %d times in a quarter of the load; %d are wanted", r.Name, n, leastScrapes)
	}
	return least, nil
}

func (r *Replica) startedAnew() error {
	return fmt.Errorf("%s was started anew during the load", r.Name)
}

// StaysZero: from the start of the load on, the metric was zero in every scrape of every node of the service. It suits a
// state that lasts for longer than the time between two scrapes. Unknown unless each node was scraped, and exported the metric
// whenever it was.
func StaysZero(metric string) Check {
	return New("StaysZero", func(r *Run) (Verdict, error) {
		load, err := r.Load()
		if err != nil {
			return Verdict{}, err
		}
		nodes, err := r.NeedSubjects()
		if err != nil {
			return Verdict{}, err
		}
		var f finding
		for _, p := range Replicas(r.Run) {
			scrapes := 0
			for _, s := range p.Samples {
				if s.At < load.From || s.Error != "" {
					continue
				}
				scrapes++
				switch v, exported := s.Values[metric]; {
				case v != 0:
					f.breaks("%s was %g on %s, %.1f s after the start of the load", metric, v, p.Name, (s.At - load.From).Seconds())
				case !exported:
					f.doubts("%s was scraped and did not export %s", p.Name, metric)
				}
			}
			if scrapes == 0 {
				f.doubts("%s was not scraped", p.Name)
			}
		}
		return f.verdict(map[string]float64{"nodes": float64(len(nodes))}, "%s was 0 on all %d nodes throughout", metric, len(nodes))
	})
}

// SawRises is a guard: from the start of the load on, the metric of some node of the service rose that many times at least, each time
// from one scrape to the next of the same boot. What is not exported counts as zero. It fails nothing: what did not happen proves less.
func SawRises(metric string, least int) Check {
	return New("SawRises", func(r *Run) (Verdict, error) {
		load, err := r.Load()
		if err != nil {
			return Verdict{}, err
		}
		most, where := 0, ""
		for _, p := range Replicas(r.Run) {
			if n := p.rises(metric, load.From); n > most {
				most, where = n, p.Name
			}
		}
		figures := map[string]float64{"rises": float64(most), "wanted": float64(least)}
		if most < least {
			return Unknownf(figures, "%s rose %d times at most on one node; %d are wanted", metric, most, least), nil
		}
		return Passf(figures, "%s rose %d times on %s", metric, most, where), nil
	})
}

// rises counts how often the metric rose.
func (r *Replica) rises(metric string, from time.Duration) (n int) {
	var last *evidence.Sample
	for i := range r.Samples {
		s := &r.Samples[i]
		if s.At < from || s.Error != "" {
			continue
		}
		if last != nil && s.Boot == last.Boot && s.Values[metric] > last.Values[metric] {
			n++
		}
		last = s
	}
	return n
}
