package check

import (
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// limitTolerance is the share by which the requests that a limit lets through may miss it.
const limitTolerance = 0.01

// LimitHolds: clients are held to the rate limit that the plan tells of, a token bucket per API key, and each tenant has one
// key. Of no tenant more requests were admitted in any span of time than the burst and the rate times its length; of the
// flood, the stage of that name, no fewer than one bucket for all replicas would have let through, which is the same
// number once it is empty; both within 1 %. No other tenant was refused anything. A refusal asked for the whole seconds until
// a token comes, and no more.
//
// A request was admitted at some moment from when it was sent to when its own upstream call arrived or, if it made none, it
// was answered. Unknown unless all of the flood is one tenant's, whose bucket was full before, and a bucket cannot hold it.
func LimitHolds(flood string) Check {
	return complete("LimitHolds", func(run *evidence.Run) Verdict {
		b, missing := limitOf(run)
		if missing != "" {
			return unknown("%s", missing)
		}
		l := limits{bucket: b, flood: flood, byTenant: map[string][]passage{}, figures: map[string]float64{"limit_per_s": b.rate(), "limit_burst": b.size()}}
		l.read(run)
		verdict := l.judge()
		verdict.Figures = l.figures
		return verdict
	})
}

// bucket is the token bucket of the plan.
type bucket struct{ every, fill time.Duration }

func limitOf(run *evidence.Run) (b bucket, missing string) {
	every, ok1 := run.Param(evidence.ParamTokenEvery)
	fill, ok2 := run.Param(evidence.ParamBucketFill)
	if !ok1 || !ok2 || every <= 0 || fill < every {
		return bucket{}, "the plan lacks a rate limit"
	}
	return bucket{every, fill}, ""
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

// limits gathers what there is to judge.
type limits struct {
	bucket
	flood    string
	tenant   string // whose the flood is
	doubt    string // why nothing can be said of the flood
	sent     []time.Duration
	admitted int // of the flood
	byTenant map[string][]passage
	harmed   []uint64 // refused to other tenants
	misled   []uint64 // refused with the wrong advice
	figures  map[string]float64
}

func (l *limits) read(run *evidence.Run) {
	arrived := firstArrivals(run)
	for i, c := range run.EachCall() {
		if c.Stage == l.flood && c.Outcome != evidence.Unsent {
			l.flooding(c)
		}
		if c.Outcome == evidence.OK {
			at := span{c.Sent, max(c.Sent, min(c.End, arrived[i]))}
			l.byTenant[c.Tenant] = append(l.byTenant[c.Tenant], passage{at, c.Seq})
		}
	}
	if len(l.sent) == 0 {
		l.doubt = "no request of stage " + l.flood + " was sent"
	}
	if l.doubt != "" {
		return // nobody knows whose refusals are in order
	}
	for _, c := range run.EachCall() {
		if c.Outcome == evidence.Refused {
			l.refusal(c)
		}
	}
	l.fullBefore(run)
}

// firstArrivals is when the first upstream call of each request arrived, by the request's place; forever if it made none.
func firstArrivals(run *evidence.Run) []time.Duration {
	at := slices.Repeat([]time.Duration{forever}, count(run.EachCall()))
	caller := readPlaces(run).caller
	for i, u := range run.EachUpstream() {
		if place := caller[i]; place != none {
			at[place] = min(at[place], u.Arrived)
		}
	}
	return at
}

func (l *limits) flooding(c *evidence.Call) {
	switch l.tenant {
	case "":
		l.tenant = c.Tenant
	case c.Tenant:
	default:
		l.doubt = "stage " + l.flood + " floods with more than one key"
	}
	l.sent = append(l.sent, c.Sent)
	if c.Status != http.StatusTooManyRequests {
		l.admitted++
	}
}

func (l *limits) refusal(c *evidence.Call) {
	longest := (l.every + time.Second - 1).Truncate(time.Second)
	switch {
	case c.Tenant != l.tenant:
		l.harmed = append(l.harmed, c.Seq)
	case c.Status == http.StatusTooManyRequests && (c.RetryAfter <= 0 || c.RetryAfter > longest):
		l.misled = append(l.misled, c.Seq)
	}
}

// fullBefore doubts the flood if its tenant used its key shortly before: by the rows of the ledger, which the warm-up has, too.
func (l *limits) fullBefore(run *evidence.Run) {
	slices.Sort(l.sent)
	before := span{l.sent[0] - l.fill, l.sent[0] - 1}
	for _, w := range run.EachRow() {
		if w.Tenant == l.tenant && before.holds(w.At) {
			l.doubt = l.tenant + "'s bucket need not have been full when the flood began: it was used less than " + l.fill.String() + " before"
		}
	}
}

func (l *limits) judge() Verdict {
	worst, exceeding := l.worst()
	ideal := l.lets(l.sent)
	l.figures["flood"], l.figures["flood_admitted"], l.figures["flood_expected"] = float64(len(l.sent)), float64(l.admitted), float64(ideal)
	l.figures["most_of_limit"] = worst
	switch {
	case worst > 1+limitTolerance:
		return fail(nil, exceeding, "%.1f %% of what the limit allows was admitted in some span of time", 100*worst)
	case len(l.harmed) > 0:
		return fail(nil, l.harmed, "%d requests were refused that were none of the flood's tenant", len(l.harmed))
	case len(l.misled) > 0:
		return fail(nil, l.misled, "%d refusals told the client a wrong time to come again", len(l.misled))
	case l.doubt != "":
		return unknown("%s", l.doubt)
	case ideal == len(l.sent):
		return unknown("stage %s was no flood: one bucket holds its %d requests", l.flood, ideal)
	case float64(l.admitted) < (1-limitTolerance)*float64(ideal):
		return fail(nil, nil, "%d requests of the flood were admitted, and the limit allows %d", l.admitted, ideal)
	}
	return pass(nil, "%d of %d requests of the flood were admitted, where one bucket admits %d, and none of another tenant was refused", l.admitted, len(l.sent), ideal)
}

// worst is the largest share of the limit that some tenant was surely admitted in a span of time, and the first requests of
// that span.
func (l *limits) worst() (share float64, requests []uint64) {
	for _, tenant := range slices.Sorted(maps.Keys(l.byTenant)) {
		c := newCrowd(l.byTenant[tenant])
		if of, most := c.busiest(l.bucket); most > share {
			share, requests = most, c.requests(of)
		}
	}
	return share, requests
}
