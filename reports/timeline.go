package reports

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// maxBuckets keeps a bucket a few pixels wide on a screen, and a page small however long the run was.
const maxBuckets = 120

// bucketSteps are the widths that people can read off an axis.
func bucketSteps() []time.Duration {
	return []time.Duration{10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
		250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second,
		30 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour}
}

func bucketStep(span time.Duration) time.Duration {
	steps := bucketSteps()
	for _, s := range steps {
		if span/s < maxBuckets {
			return s
		}
	}
	last := steps[len(steps)-1]
	return last * (span/(last*maxBuckets) + 1)
}

func bucketText(seconds float64) string {
	if seconds < 1 {
		return number(seconds*1000) + " ms"
	}
	return number(seconds) + " s"
}

// timeline is what the charts draw. Times are seconds from the start of the load; X is the middle of each bucket.
type timeline struct {
	Step     float64     `json:"step"`
	From     float64     `json:"from"`
	To       float64     `json:"to"`
	X        []float64   `json:"x"`
	Due      []float64   `json:"due"`  // requests due, per second
	Done     []float64   `json:"done"` // answers complete with outcome ok, per second
	P50      []*float64  `json:"p50"`  // ms from due, by the bucket in which the request was due; null without requests
	P99      []*float64  `json:"p99"`
	Max      []*float64  `json:"max"`
	Outcomes []layer     `json:"outcomes"`
	InFlight []layer     `json:"in_flight"` // largest number at once: requests, then what the system adds
	Faults   []faultSpan `json:"faults"`
	Phases   []phaseSpan `json:"phases"`
}

// layer is a series of counts by bucket, such as the requests of one outcome by when they were due.
type layer struct {
	Name   string `json:"name"`
	Counts []int  `json:"counts"`
}

type faultSpan struct {
	Label     string   `json:"label"`
	From      float64  `json:"from"` // active, or ordered where that is not known
	To        *float64 `json:"to"`   // healed, or healing where that is not known; null: never
	Ordered   float64  `json:"ordered"`
	Confirmed bool     `json:"confirmed"`
}

type phaseSpan struct {
	Name string  `json:"name"`
	From float64 `json:"from"`
	To   float64 `json:"to"`
}

// buckets maps offsets from the epoch to buckets whose edges are at whole steps from the start of the load.
type buckets struct {
	zero  time.Duration // start of the load
	step  time.Duration
	first int // number of the first bucket, counted from zero
	n     int
}

func newBuckets(zero, from, to time.Duration) buckets {
	b := buckets{zero: zero, step: bucketStep(to - from)}
	b.first = b.number(from)
	b.n = b.number(to) - b.first + 1
	return b
}

func (b buckets) number(at time.Duration) int {
	return int(math.Floor(float64(at-b.zero) / float64(b.step)))
}

// index is clamped: what lies outside the charts is counted at their edges.
func (b buckets) index(at time.Duration) int { return min(max(b.number(at)-b.first, 0), b.n-1) }

// start is the offset from the epoch at which the first bucket begins.
func (b buckets) start() time.Duration { return b.zero + time.Duration(b.first)*b.step }

func (b buckets) seconds(at time.Duration) float64 { return ms(at-b.zero) / 1000 }

func (b buckets) edge(i int) float64 { return ms(time.Duration(b.first+i)*b.step) / 1000 }

func (b buckets) middle(i int) float64 { return ms(time.Duration(b.first+i)*b.step+b.step/2) / 1000 }

func newTimeline(run *evidence.Run, faults []check.Fault, lanes []Lane) timeline {
	from, to := chartSpan(run, faults)
	b := newBuckets(loadStart(run), from, to)
	t := timeline{Step: b.step.Seconds(), From: b.edge(0), To: b.edge(b.n), Outcomes: layers(run, b),
		InFlight: inFlightLayers(run, lanes, b), Faults: []faultSpan{}, Phases: []phaseSpan{}}
	for i := range b.n {
		t.X = append(t.X, b.middle(i))
	}
	t.Due, t.Done = rates(run, b)
	t.P50, t.P99, t.Max = latencySeries(run, b)
	for _, f := range faults {
		t.Faults = append(t.Faults, spanOf(f, b))
	}
	for _, w := range evidence.Windows.Of(run) {
		t.Phases = append(t.Phases, phaseSpan{w.Name, b.seconds(w.From), b.seconds(w.To)})
	}
	return t
}

// chartSpan covers every request and every fault, not the start and the collection around them.
func chartSpan(run *evidence.Run, faults []check.Fault) (from, to time.Duration) {
	from = loadStart(run)
	to = from
	if w, ok := run.Window(evidence.PhaseLoad); ok {
		to = w.To
	}
	for _, t := range evidence.Requests.Each(run) {
		from, to = min(from, t.Due), max(to, t.Due, t.End)
	}
	for _, f := range faults {
		to = max(to, f.Active, f.Healing, f.Healed)
	}
	return from, to
}

func rates(run *evidence.Run, b buckets) (due, done []float64) {
	due, done = make([]float64, b.n), make([]float64, b.n)
	one := 1 / b.step.Seconds()
	for _, t := range evidence.Requests.Each(run) {
		due[b.index(t.Due)] += one
		if t.Succeeded() {
			done[b.index(t.End)] += one
		}
	}
	for i := range b.n {
		due[i], done[i] = math.Round(due[i]*100)/100, math.Round(done[i]*100)/100
	}
	return due, done
}

func latencySeries(run *evidence.Run, b buckets) (p50, p99, top []*float64) {
	byBucket := make([][]time.Duration, b.n)
	for _, t := range evidence.Requests.Each(run) {
		if t.Waited() {
			i := b.index(t.Due)
			byBucket[i] = append(byBucket[i], t.Latency())
		}
	}
	p50, p99, top = make([]*float64, b.n), make([]*float64, b.n), make([]*float64, b.n)
	for i, ds := range byBucket {
		if q := quantilesOf(ds); q.Known {
			p50[i], p99[i], top[i] = new(ms(q.P50)), new(ms(q.P99)), new(ms(q.Max))
		}
	}
	return p50, p99, top
}

func layers(run *evidence.Run, b buckets) []layer {
	at := map[evidence.Outcome]int{}
	var all []layer
	for i, o := range evidence.Outcomes() {
		at[o] = i
		all = append(all, layer{Name: string(o), Counts: make([]int, b.n)})
	}
	for _, t := range evidence.Requests.Each(run) {
		if i, ok := at[t.Outcome]; ok {
			all[i].Counts[b.index(t.Due)]++
		}
	}
	return all
}

func inFlightLayers(run *evidence.Run, lanes []Lane, b buckets) []layer {
	all := []layer{{"requests", inFlight(requestSpans(run), b)}}
	for _, l := range lanes {
		if spans := l.Of(run); len(spans) > 0 {
			all = append(all, layer{l.Title, inFlight(spans, b)})
		}
	}
	return all
}

func requestSpans(run *evidence.Run) (all []evidence.Span) {
	for _, t := range evidence.Requests.Each(run) {
		if t.Outcome != evidence.Unsent {
			all = append(all, evidence.Span{From: t.Sent, To: t.End})
		}
	}
	return all
}

// inFlight gives the largest number that was in flight at once in each bucket.
func inFlight(spans []evidence.Span, b buckets) []int {
	type change struct {
		at    time.Duration
		delta int
	}
	first, changes := b.start(), make([]change, 0, 2*len(spans))
	for _, s := range spans {
		if s.To > first { // what ended before, in the warm-up, is not drawn
			changes = append(changes, change{max(s.From, first), 1}, change{s.To, -1})
		}
	}
	slices.SortFunc(changes, func(x, y change) int {
		// ends first: back to back is not at once
		return cmp.Or(cmp.Compare(x.at, y.at), cmp.Compare(x.delta, y.delta))
	})
	peaks := make([]int, b.n)
	now, next := 0, 0
	for i := range peaks {
		peaks[i] = now
		for ; next < len(changes) && b.index(changes[next].at) <= i; next++ {
			now += changes[next].delta
			peaks[i] = max(peaks[i], now)
		}
	}
	return peaks
}

func spanOf(f check.Fault, b buckets) faultSpan {
	s := faultSpan{Label: faultLabel(f), Ordered: b.seconds(f.Ordered), From: b.seconds(cmp.Or(f.Active, f.Ordered)), Confirmed: f.Confirmed}
	if end := cmp.Or(f.Healed, f.Healing); end != 0 {
		s.To = new(b.seconds(end))
	}
	return s
}

// faultLabel names the target, too, if the fault's name does not.
func faultLabel(f check.Fault) string {
	if strings.Contains(f.Name, f.Target) {
		return f.Name
	}
	return f.Name + " (" + f.Target + ")"
}
