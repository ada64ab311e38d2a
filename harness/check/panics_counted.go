package check

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// PanicsCounted: the panics that each replica recovered from are as many by its metric as by its log. One that only one of the two
// knows of went past the other, and the next may go past both.
//
// A panic that ended its process is in the log alone. A replica that ended may have counted fewer than it logged: what it counted after
// its last scrape died with it. Unknown if the logs were not read, or if a replica was not seen to export the metric after the last
// response.
func PanicsCounted(metric string) Check {
	return New("PanicsCounted", func(r *Run) (Verdict, error) {
		logged := recoveredPanics(r.Run)
		var found Findings
		var unseen error
		figures := map[string]float64{}
		for _, p := range Replicas(r.Run) {
			counted, seen := countedPanics(&p, metric, LastResponse(r.Run))
			figures["counted"] += float64(counted)
			figures["logged"] += float64(logged[p.Name])
			switch {
			case counted > logged[p.Name], counted < logged[p.Name] && seen && p.Ended == 0:
				found.Add(fmt.Sprintf("replica counted %d panics and logged %d (%s)", counted, logged[p.Name], p.Name))
			case !seen:
				unseen = fmt.Errorf("%s was not seen to export %s after the last response", p.Name, metric)
			}
		}
		switch {
		case !r.Collected(evidence.ProbeLogs):
			return Verdict{Figures: figures}, errors.New("nobody read the logs for panics")
		case found.N() > 0:
			return Failf(figures, nil, "%s", &found), nil
		case unseen != nil:
			return Verdict{Figures: figures}, unseen
		}
		return Passf(figures, "every replica counted as many panics as it logged, %g in all", figures["counted"]), nil
	}).Timeless()
}

// recoveredPanics counts those in the logs, by node. What the runtime reports of one that ended its process begins a line.
func recoveredPanics(run *evidence.Run) map[string]int {
	all := map[string]int{}
	for _, d := range evidence.LogDefects.Each(run) {
		if d.What == evidence.LogPanic && !strings.HasPrefix(d.Text, "panic: ") {
			all[d.Node]++
		}
	}
	return all
}

// countedPanics adds up what the boots of a replica had counted when they were last scraped, and tells whether the last one was seen to
// count after a moment.
func countedPanics(r *Replica, metric string, rest time.Duration) (n int, seen bool) {
	last := map[string]float64{} // by boot
	for _, s := range r.Samples {
		if v, exported := s.Values[metric]; exported {
			last[s.Boot] = v
		}
	}
	for _, v := range last {
		n += int(v)
	}
	for _, s := range r.AtRest(rest) {
		_, seen = s.Values[metric]
	}
	return n, seen
}
