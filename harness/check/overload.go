package check

import (
	"slices"
	"sort"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

const (
	// capacityOver is for how long answers must come at a rate that counts as sustained: many times as long as one takes.
	capacityOver = 3 * time.Second
	// clearlyMore is how many times its answers must have been asked of a service, so that these are all that it can give.
	clearlyMore = 1.2
)

// GoodputHolds: while the stage overload was asked, answers came at no less than share, 0 to 1, of the capacity, or of what
// was asked if that is less. The capacity is the most answers per second in any 3 s of the stage measured. Unknown if the service may be capable of more, since it was not
// asked for clearly more then; if less than factor times the capacity was asked in the stage overload; or if the load kept no
// schedule.
func GoodputHolds(measured, overload string, factor, share float64) Check {
	return complete("GoodputHolds", func(run *evidence.Run) Verdict {
		m, o := stageSpan(run, measured), stageSpan(run, overload)
		if m.to-m.from < capacityOver || o.to <= o.from {
			return unknown("stage %s must last %s at least, and stage %s must have requests", measured, capacityOver, overload)
		}
		ends := answersBy(run)
		capacity := peak(ends, m)
		goodput := perSecond(len(between(ends, o)), o)
		tried, asked := perSecond(dueWithin(run, m), m), perSecond(dueWithin(run, o), o)
		figures := map[string]float64{"capacity_per_s": capacity, "goodput_per_s": goodput, "measured_at_per_s": tried,
			"asked_per_s": asked, "share_wanted": share, "factor_wanted": factor}
		switch {
		case !keptSchedule(run):
			return unknown("the load kept no schedule").with(figures)
		case capacity == 0:
			return unknown("nothing was answered in stage %s", measured).with(figures)
		case goodput < share*min(capacity, asked):
			return fail(figures, nil, "of %.0f requests per second %.0f were answered; %.0f had been when %.0f were asked, and %.0f are wanted",
				asked, goodput, capacity, tried, share*min(capacity, asked))
		case tried < clearlyMore*capacity:
			return unknown("%.0f requests per second were answered of %.0f: it may be capable of more", capacity, tried).with(figures)
		case asked < factor*capacity:
			return unknown("%.0f requests per second are %.1f times the capacity of %.0f, not %.1f times", asked, asked/capacity, capacity, factor).with(figures)
		}
		return pass(figures, "asked for %.1f times its capacity of %.0f requests per second, it answered %.0f", asked/capacity, capacity, goodput)
	})
}

// RecoversAfterStage: from the last request of the stage to the first of ten successes in a row, of hits and of misses, no more
// than limit went by. A success is what it is to RecoversWithin; normal is what was so before the stage measured.
func RecoversAfterStage(overload, measured string, limit time.Duration) Check {
	return complete("RecoversAfterStage", func(run *evidence.Run) Verdict {
		m, o := stageSpan(run, measured), stageSpan(run, overload)
		if m == (span{}) || o == (span{}) {
			return unknown("no request of stage %s or %s is recorded", measured, overload)
		}
		p, missing := newPace(run, m.from)
		if missing != "" {
			return unknown("%s", missing)
		}
		return judgeRecoveries(recoveries(run, p, o.to+1), limit, map[string]float64{"limit_ms": ms(limit)})
	})
}

// stageSpan is from the moment at which the first request of a stage was due to the last; zero if there is none.
func stageSpan(run *evidence.Run, stage string) (s span) {
	for _, c := range run.EachCall() {
		if c.Stage != stage {
			continue
		}
		if s == (span{}) {
			s.from = c.Due
		}
		s.to = c.Due
	}
	return s
}

// answersBy are the moments at which requests were answered, ascending.
func answersBy(run *evidence.Run) (ends []time.Duration) {
	for _, c := range eachBrief(run) {
		if c.Outcome == evidence.OK {
			ends = append(ends, c.End)
		}
	}
	slices.Sort(ends)
	return ends
}

// between are those of the moments, which ascend, that the span holds.
func between(moments []time.Duration, s span) []time.Duration {
	from := sort.Search(len(moments), func(i int) bool { return moments[i] >= s.from })
	to := sort.Search(len(moments), func(i int) bool { return moments[i] > s.to })
	return moments[from:to]
}

// peak is the largest rate, per second, at which answers came for as long as counts.
func peak(ends []time.Duration, within span) float64 {
	most := 0
	for _, from := range between(ends, span{within.from, within.to - capacityOver}) {
		most = max(most, len(between(ends, span{from, from + capacityOver - 1})))
	}
	return float64(most) / capacityOver.Seconds()
}

func dueWithin(run *evidence.Run, s span) (n int) {
	for _, c := range eachBrief(run) {
		if s.holds(c.Due) {
			n++
		}
	}
	return n
}

func perSecond(n int, s span) float64 { return float64(n) / (s.to - s.from).Seconds() }
