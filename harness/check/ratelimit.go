package check

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// limitTolerance is the share by which the requests that a limit lets through may miss it.
const limitTolerance = 0.01

// LimitHolds: users are held to the rate limit of the plan, a token bucket for each of their credentials. By no credential more requests
// were admitted in any span of time than the burst and the rate times its length. Of the flood, the stage of that name, no fewer were
// than one bucket for all replicas would have let through, which is the same number once it is empty. Both hold within 1 %. Nothing
// else was refused, to another user or by another credential of the flood's. A refusal asked for the whole seconds until a token comes,
// and no more.
//
// Admitted is what was answered: whoever is refused or failed, for whatever reason, got nothing of the limit. A request was
// admitted at some moment from when it was sent to when it was answered. What makes that shorter is admitted: by the places of
// requests, when each had been admitted at the latest, Forever where nobody knows; nil knows nothing.
//
// Unknown unless all of the flood comes by one credential whose bucket was full before, and a bucket cannot hold it. What the warm-up
// used is not recorded, so it may have used any bucket until its end. Unknown, too, if it is too few that were answered, and
// enough with those of the flood that nobody waited for or whose fate is ambiguous.
//
// Others are further floods. They are held to what may be admitted and to nothing else: their refusals harm nobody. Unknown if one of them
// was refused nothing.
func LimitHolds(flood string, admitted func(*Run) []time.Duration, others ...Flood) Check {
	return New("LimitHolds", func(r *Run) (Verdict, error) {
		b, err := limitOf(r.Run)
		if err != nil {
			return Verdict{}, err
		}
		l := limits{bucket: b, flood: flood, byHolder: map[holder][]admission{}, over: map[holder]time.Duration{}}
		l.flooded(r.Run)
		for _, f := range others {
			l.further(r.Run, f)
		}
		if admitted == nil {
			l.read(r.Run, func(int) time.Duration { return evidence.Forever })
		} else {
			latest := admitted(r)
			l.read(r.Run, func(place int) time.Duration { return latest[place] })
		}
		if l.doubt == nil {
			l.doubt = l.fullBefore(r.Run)
		}
		return l.judge()
	})
}

// Flood is a stage that floods by a credential of its own, while its limit changes hands: it may be let through more by so many bursts.
type Flood struct {
	Stage string
	Over  float64
}

// bucket is the token bucket of the plan.
type bucket struct{ every, fill time.Duration }

func limitOf(run *evidence.Run) (bucket, error) {
	every, ok1 := run.Param(evidence.ParamTokenEvery)
	fill, ok2 := run.Param(evidence.ParamBucketFill)
	if !ok1 || !ok2 || every <= 0 || fill < every {
		return bucket{}, errors.New("the plan lacks a rate limit")
	}
	return bucket{every, fill}, nil
}

func (b bucket) rate() float64 { return 1 / b.every.Seconds() }

func (b bucket) size() float64 { return float64(b.fill) / float64(b.every) }

// most is how many requests it lets through in a span of that length.
func (b bucket) most(length time.Duration) float64 { return float64(b.fill+length) / float64(b.every) }

// lets is how many of requests at those moments, in their order, a full bucket lets through.
func (b bucket) lets(at []time.Duration) (n int) {
	credit, last := b.fill, time.Duration(0) // in the time that it takes to gain it
	for i, t := range at {
		if i > 0 {
			credit = min(b.fill, credit+t-last)
		}
		if last = t; credit >= b.every {
			credit -= b.every
			n++
		}
	}
	return n
}

// admission is when a request was admitted: at some moment of the span.
type admission struct {
	evidence.Span
	seq uint64
}

// busiest is the largest share of the limit that was surely admitted in a span of time, and the requests of that span: those
// whose admissions lie wholly within it. It looks at every span from the beginning of one admission to the end of another: their
// number is the square of that of admissions, of which a flood has about a thousand.
func (b bucket) busiest(all []admission) (share float64, requests []uint64) {
	slices.SortStableFunc(all, func(a, b admission) int { return cmp.Compare(a.To, b.To) })
	var within []uint64
	for _, first := range all {
		within = within[:0]
		for _, a := range all {
			if a.From < first.From {
				continue
			}
			within = append(within, a.seq)
			if s := float64(len(within)) / b.most(a.To-first.From); s > share {
				share, requests = s, slices.Clone(within[:min(len(within), MaxRequests)])
			}
		}
	}
	return share, requests
}

// holder has a bucket: one user by one credential.
type holder struct{ user, credential string }

func holderOf(q *evidence.Request) holder { return holder{q.User, q.Credential} }

// String is the credential where it has a name, else the user.
func (h holder) String() string { return cmp.Or(h.credential, h.user) }

func compareHolders(a, b holder) int {
	return cmp.Or(cmp.Compare(a.user, b.user), cmp.Compare(a.credential, b.credential))
}

// limits gathers what there is to judge.
type limits struct {
	bucket
	flood    string
	flooder  holder
	doubt    error // why nothing can be said of the flood
	sent     []time.Duration
	admitted int // of the flood
	open     int // of the flood: nobody knows whether they were admitted
	byHolder map[holder][]admission
	over     map[holder]time.Duration // of further floods: what they may be let through more, in the time that it takes to gain it
	harmed   []uint64                 // refused to others
	misled   []uint64                 // refused with the wrong advice
}

// flooded reads the flood.
func (l *limits) flooded(run *evidence.Run) {
	for _, q := range evidence.Requests.Each(run) {
		if q.Stage != l.flood || q.Outcome == evidence.Unsent {
			continue
		}
		if len(l.sent) == 0 {
			l.flooder = holderOf(q)
		}
		if holderOf(q) != l.flooder {
			l.doubt = fmt.Errorf("stage %s floods by more than one credential", l.flood)
		}
		l.sent = append(l.sent, q.Sent)
		switch q.Outcome {
		case evidence.OK:
			l.admitted++
		case evidence.Aborted, evidence.Ambiguous:
			l.open++
		}
	}
	slices.Sort(l.sent)
	if len(l.sent) == 0 {
		l.doubt = fmt.Errorf("no request of stage %s was sent", l.flood)
	}
}

// further reads another flood.
func (l *limits) further(run *evidence.Run, f Flood) {
	refused := false
	for _, q := range evidence.Requests.Each(run) {
		if q.Stage == f.Stage && q.Outcome != evidence.Unsent {
			l.over[holderOf(q)] = time.Duration(f.Over * float64(l.fill))
			refused = refused || q.Outcome == evidence.Refused
		}
	}
	if !refused && l.doubt == nil {
		l.doubt = fmt.Errorf("nothing of stage %s was refused", f.Stage)
	}
}

// fullBefore is nil if nobody can have used the flood's bucket shortly before the flood.
func (l *limits) fullBefore(run *evidence.Run) error {
	before := evidence.Span{From: l.sent[0] - l.fill, To: l.sent[0] - 1}
	warm, recorded := run.Window(evidence.PhaseBaseline)
	used := !recorded || warm.From >= before.From
	for _, q := range evidence.Requests.Each(run) {
		used = used || holderOf(q) == l.flooder && q.Stage != l.flood && q.Outcome != evidence.Unsent && before.Meets(evidence.Span{From: q.Sent, To: q.End})
	}
	if used {
		return fmt.Errorf("%s's bucket need not have been full when the flood began: it may have been used less than %s before", l.flooder, l.fill)
	}
	return nil
}

// read notes what was admitted to whom, and the refusals.
func (l *limits) read(run *evidence.Run, latest func(place int) time.Duration) {
	known := l.doubt == nil // whose refusals are in order
	longest := (l.every + time.Second - 1).Truncate(time.Second)
	for i, q := range evidence.Requests.Each(run) {
		switch {
		case q.Outcome == evidence.OK:
			at := evidence.Span{From: q.Sent, To: max(q.Sent, min(q.End, latest(i)))}
			l.byHolder[holderOf(q)] = append(l.byHolder[holderOf(q)], admission{at, q.Seq})
		case q.Outcome != evidence.Refused || !known || l.floods(q):
		case holderOf(q) != l.flooder:
			l.harmed = append(l.harmed, q.Seq)
		case q.Status == http.StatusTooManyRequests && (q.RetryAfter <= 0 || q.RetryAfter > longest):
			l.misled = append(l.misled, q.Seq)
		}
	}
}

// floods reports whether a request is of the holder of a further flood.
func (l *limits) floods(q *evidence.Request) bool {
	_, further := l.over[holderOf(q)]
	return further
}

func (l *limits) judge() (Verdict, error) {
	worst, exceeding := l.worst()
	ideal := l.lets(l.sent)
	least := (1 - limitTolerance) * float64(ideal)
	figures := map[string]float64{"limit_per_s": l.rate(), "limit_burst": l.size(), "flood": float64(len(l.sent)),
		"flood_admitted": float64(l.admitted), "flood_expected": float64(ideal), "most_of_limit": worst}
	v := Verdict{Figures: figures}
	switch {
	case worst > 1+limitTolerance:
		return Failf(figures, exceeding, "%.1f %% of what the limit allows was admitted in some span of time", 100*worst), nil
	case len(l.harmed) > 0:
		return Failf(figures, l.harmed, "%d requests were refused that did not come by the flood's credential", len(l.harmed)), nil
	case len(l.misled) > 0:
		return Failf(figures, l.misled, "%d refusals told the client a wrong time to come again", len(l.misled)), nil
	case l.doubt != nil:
		return v, l.doubt
	case ideal == len(l.sent):
		return v, fmt.Errorf("stage %s was no flood: one bucket holds its %d requests", l.flood, ideal)
	case float64(l.admitted) < least && float64(l.admitted+l.open) >= least:
		return v, fmt.Errorf("%d requests of the flood were answered, where one bucket admits %d, and of %d more nobody knows", l.admitted, ideal, l.open)
	case float64(l.admitted) < least:
		return Failf(figures, nil, "%d requests of the flood were admitted, and the limit allows %d", l.admitted, ideal), nil
	}
	return Passf(figures, "%d of %d requests of the flood were admitted, where one bucket admits %d, and nothing else was refused",
		l.admitted, len(l.sent), ideal), nil
}

// worst is the largest share of the limit that was surely admitted by some credential in a span of time, and the first requests of that
// span.
func (l *limits) worst() (share float64, requests []uint64) {
	for _, h := range slices.SortedFunc(maps.Keys(l.byHolder), compareHolders) {
		b := bucket{l.every, l.fill + l.over[h]}
		if of, those := b.busiest(l.byHolder[h]); of > share {
			share, requests = of, those
		}
	}
	return share, requests
}
