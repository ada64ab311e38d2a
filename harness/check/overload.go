package check

import (
	"errors"
	"fmt"
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
// was asked if that is less. The capacity is the most answers per second in any 3 s of the stage measured. Unknown if the
// service may be capable of more, since it was not asked for clearly more then; if less than factor times the capacity was asked
// in the stage overload; or if the load kept no schedule.
func GoodputHolds(measured, overload string, factor, share float64) Check {
	return New("GoodputHolds", func(r *Run) (Verdict, error) {
		m, o := stageSpan(r.Run, measured), stageSpan(r.Run, overload)
		if m.To-m.From < capacityOver || o.To <= o.From {
			return Verdict{}, fmt.Errorf("stage %s must last %s at least, and stage %s must have requests", measured, capacityOver, overload)
		}
		ends := answersBy(r.Run)
		capacity := peak(ends, m)
		goodput := perSecond(len(between(ends, o)), o)
		tried, asked := perSecond(dueWithin(r.Run, m), m), perSecond(dueWithin(r.Run, o), o)
		figures := map[string]float64{"capacity_per_s": capacity, "goodput_per_s": goodput, "measured_at_per_s": tried,
			"asked_per_s": asked, "share_wanted": share, "factor_wanted": factor}
		v := Verdict{Figures: figures}
		switch {
		case !keptSchedule(r.Run):
			return v, errors.New("the load kept no schedule")
		case capacity == 0:
			return v, fmt.Errorf("nothing was answered in stage %s", measured)
		case goodput < share*min(capacity, asked):
			return Failf(figures, nil, "of %.0f requests per second %.0f were answered; %.0f had been when %.0f were asked, and %.0f are wanted",
				asked, goodput, capacity, tried, share*min(capacity, asked)), nil
		case tried < clearlyMore*capacity:
			return v, fmt.Errorf("%.0f requests per second were answered of %.0f: it may be capable of more", capacity, tried)
		case asked < factor*capacity:
			return v, fmt.Errorf("%.0f requests per second are %.1f times the capacity of %.0f, not %.1f times", asked, asked/capacity, capacity, factor)
		}
		return Passf(figures, "asked for %.1f times its capacity of %.0f requests per second, it answered %.0f", asked/capacity, capacity, goodput), nil
	})
}

// stageSpan is from the moment at which the first request of a stage was due to the last; zero if there is none.
func stageSpan(run *evidence.Run, stage string) (s evidence.Span) {
	for _, q := range evidence.Requests.Each(run) {
		if q.Stage != stage {
			continue
		}
		if s == (evidence.Span{}) {
			s.From = q.Due
		}
		s.To = q.Due
	}
	return s
}

// answersBy are the moments at which requests were answered, ascending.
func answersBy(run *evidence.Run) (ends []time.Duration) {
	for _, t := range evidence.Requests.Each(run) {
		if t.Outcome == evidence.OK {
			ends = append(ends, t.End)
		}
	}
	slices.Sort(ends)
	return ends
}

// between are those of the moments, which ascend, that the span holds.
func between(moments []time.Duration, s evidence.Span) []time.Duration {
	from := sort.Search(len(moments), func(i int) bool { return moments[i] >= s.From })
	to := sort.Search(len(moments), func(i int) bool { return moments[i] > s.To })
	return moments[from:to]
}

// peak is the largest rate, per second, at which answers came for as long as counts.
func peak(ends []time.Duration, within evidence.Span) float64 {
	most := 0
	for _, from := range between(ends, evidence.Span{From: within.From, To: within.To - capacityOver}) {
		most = max(most, len(between(ends, evidence.Span{From: from, To: from + capacityOver - 1})))
	}
	return float64(most) / capacityOver.Seconds()
}

func dueWithin(run *evidence.Run, s evidence.Span) (n int) {
	for _, t := range evidence.Requests.Each(run) {
		if s.Holds(t.Due) {
			n++
		}
	}
	return n
}

func perSecond(n int, s evidence.Span) float64 { return float64(n) / (s.To - s.From).Seconds() }
