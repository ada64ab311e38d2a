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
	return complete("FlatUse", func(run *evidence.Run) Verdict {
		load, ok := run.Window(evidence.PhaseLoad)
		if !ok {
			return unknown("the start of the load is not recorded")
		}
		f := flatness{share: share, second: quarter(load, 1), last: quarter(load, 3), figures: map[string]float64{}}
		all := replicas(run)
		for _, r := range all {
			for _, u := range uses {
				f.judge(r, u)
			}
		}
		switch {
		case f.grew != "":
			return fail(f.figures, nil, "%s", f.grew)
		case len(all) == 0:
			return unknown("no node of the service is recorded")
		case len(uses) == 0:
			return unknown("no metric is named")
		case f.unproven != "":
			return unknown("%s", f.unproven).with(f.figures)
		}
		return pass(f.figures, "what %d replicas use did not grow from the second quarter of the load to the last", len(all))
	})
}

// quarter is the n-th quarter of a window, counted from 0.
func quarter(w evidence.Window, n time.Duration) span {
	length := (w.To - w.From) / 4
	return span{w.From + n*length, w.From + (n+1)*length}
}

type flatness struct {
	share          float64
	second, last   span
	figures        map[string]float64
	grew, unproven string
}

func (f *flatness) judge(r *replica, u Use) {
	before, doubt := leastOf(r, u.Metric, f.second)
	after, doubtAfter := leastOf(r, u.Metric, f.last)
	switch {
	case doubt == "" && doubtAfter == "" && before.Boot != after.Boot:
		doubt = r.name + " was started anew during the load"
	case doubt == "":
		doubt = doubtAfter
	}
	if doubt != "" {
		f.unproven = doubt
		return
	}
	was, is := before.Values[u.Metric], after.Values[u.Metric]
	growth := u.Metric + "_growth"
	f.figures[growth] = max(f.figures[growth], is-was)
	if is > was+max(f.share*was, u.Slack) && f.grew == "" {
		f.grew = fmt.Sprintf("%s of %s was never below %g in the last quarter of the load, and had been as low as %g in the second", u.Metric, r.name, is, was)
	}
}

// leastOf finds the scrape of a stretch with the least of a metric, or says why there is none to go by.
func leastOf(r *replica, metric string, within span) (least evidence.Sample, doubt string) {
	n := 0
	for _, s := range r.samples {
		if s.Error != "" || !within.holds(s.At) {
			continue
		}
		v, exported := s.Values[metric]
		switch {
		case !exported:
			return least, fmt.Sprintf("%s does not export %s", r.name, metric)
		case n > 0 && s.Boot != least.Boot:
			return least, r.name + " was started anew during the load"
		case n == 0 || v < least.Values[metric]:
			least = s
		}
		n++
	}
	if n < leastScrapes {
		return least, fmt.Sprintf("%s was scraped %d times in a quarter of the load; %d are wanted", r.name, n, leastScrapes)
	}
	return least, ""
}
