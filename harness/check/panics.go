package check

import (
	"strings"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// NoPanics: no program of ours, the service under test or what stands in for its upstream, reported a panic, a fatal error
// of its runtime or a data race in its log, recovered from or not. Unknown if the logs were not read.
func NoPanics() Check { return complete("NoPanics", noPanics) }

func noPanics(run *evidence.Run) Verdict {
	var first evidence.LogLine
	found := tally{}
	for l := range run.LogLines() {
		if found.sum() == 0 {
			first = l
		}
		found[l.What]++
	}
	figures := map[string]float64{"panics": float64(found[evidence.LogPanic]), "fatal_errors": float64(found[evidence.LogFatal]),
		"data_races": float64(found[evidence.LogRace])}
	switch {
	case found.sum() > 0:
		return fail(figures, nil, "%s in the logs; the first, logs/%s.log line %d: %s", found, first.Node, first.Line, shortened(first.Text))
	case !collected(run, evidence.ProbeLogs):
		return unknown("nobody read the logs for panics").with(figures)
	}
	return pass(figures, "no log reports a panic, a fatal error or a data race")
}

// shortened keeps a reason on a line: the first lines of a report say what and where.
func shortened(report string) string {
	const most = 300
	line := strings.Join(strings.Fields(report), " ")
	if len(line) > most {
		return strings.ToValidUTF8(line[:most], "") + " ..."
	}
	return line
}

// collected says whether the probe of that name looked at the end of the run.
func collected(run *evidence.Run, name string) bool {
	for o := range run.Observations() {
		if o.Source == evidence.SourceProbe && o.Node == name && o.What == evidence.ProbeCollected {
			return true
		}
	}
	return false
}
