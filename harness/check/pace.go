package check

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// class tells requests apart whose latency differs by nature: a hit finds a stored answer, a miss has to wait for a call.
type class string

const (
	hit  class = "hit"
	miss class = "miss"
)

// leastNormal is how many requests of a class a normal latency must rest on: of fewer, one slow request is the p99.
const leastNormal = 20

// pace is how fast the run's requests were before a fault, by class.
type pace struct {
	hits
	before map[class]speed
	late   bool // the load did not keep its schedule
}

// speed is how fast the requests of a class were that were answered.
type speed struct {
	requests int
	p99      time.Duration // of their latencies
}

// answered is when a request was answered, and after how long.
type answered struct{ end, took time.Duration }

// byLatency are the answered requests of each class, the fastest first.
type byLatency map[class][]answered

func newByLatency(run *evidence.Run) byLatency {
	h := readHits(run)
	n := map[class]int{}
	for i, c := range eachBrief(run) {
		if c.Outcome == evidence.OK {
			n[h.class(i)]++
		}
	}
	all := byLatency{}
	for k := range n {
		of := make([]answered, 0, n[k])
		for i, c := range eachBrief(run) {
			if c.Outcome == evidence.OK && h.class(i) == k {
				of = append(of, answered{c.End, latency(c)})
			}
		}
		slices.SortFunc(of, func(a, b answered) int { return cmp.Compare(a.took, b.took) })
		all[k] = of
	}
	return all
}

// speedBefore is that of the requests that were answered before the moment until.
func speedBefore(fastestFirst []answered, until time.Duration) (s speed) {
	for _, a := range fastestFirst {
		if a.end < until {
			s.requests++
		}
	}
	rank := nearestRank(s.requests, 99)
	for _, a := range fastestFirst {
		if a.end < until {
			if rank--; rank == 0 {
				s.p99 = a.took
				break
			}
		}
	}
	return s
}

// speeds are those before each moment that was asked for: most checks ask for the same fault's.
type speeds struct {
	all   byLatency
	mu    sync.Mutex
	known map[time.Duration]map[class]speed
}

func newSpeeds(run *evidence.Run) *speeds {
	return &speeds{all: newByLatency(run), known: map[time.Duration]map[class]speed{}}
}

func (s *speeds) before(until time.Duration) map[class]speed {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known[until] == nil {
		s.known[until] = map[class]speed{}
		for k, all := range s.all {
			s.known[until][k] = speedBefore(all, until)
		}
	}
	return s.known[until]
}

// newPace measures the requests that were answered before the moment until. It says why it cannot.
func newPace(run *evidence.Run, until time.Duration) (p pace, missing string) {
	if _, ok := lifetimeOf(run); !ok {
		return pace{}, "the plan lacks the lifetime of answers, which tells hits from misses"
	}
	if l := readLedger(run); l.flaw != "" {
		return pace{}, l.flaw
	}
	p = pace{hits: readHits(run), late: !keptSchedule(run)}
	p.before = evidence.Derive(run, newSpeeds).before(until)
	return p, ""
}

// class is that of the request at a place. It goes by the upstream's ledger, not by what the service says.
func (h hits) class(place int) class {
	if h[place] {
		return hit
	}
	return miss
}

// normal is the p99 of the class before the fault.
func (p pace) normal(k class) (d time.Duration, missing string) {
	if n := p.before[k].requests; n < leastNormal {
		return 0, fmt.Sprintf("only %d requests of the class %s were answered before the fault, too few to tell what is normal", n, k)
	}
	return p.before[k].p99, ""
}

// blameless says whether nobody but the load generator need be to blame for a request that took longer than limit, and of
// which served was the service's part: it was sent so late, or the load as a whole kept no schedule, so that the service was
// asked at other times than was planned.
func (p pace) blameless(served, limit time.Duration) bool {
	return p.late || served <= limit
}

// certified finds a fault by its name, and its proven times. It says why there is none.
func certified(run *evidence.Run, fault string, proof Certificate) (d disturbance, missing string) {
	in, ok := run.Injection(fault)
	if !ok {
		return disturbance{}, fmt.Sprintf("fault %q was never ordered", fault)
	}
	c := Certify(run, in, proof)
	if !c.Certified {
		return disturbance{}, fmt.Sprintf("fault %q is not certified: %s", fault, c.Missing)
	}
	return disturbance{in, Times{c.Active, c.Healed}}, ""
}

// disturbed is a certified fault and the pace of the run before it.
func disturbed(run *evidence.Run, fault string, proof Certificate) (d disturbance, p pace, missing string) {
	if d, missing = certified(run, fault, proof); missing == "" {
		p, missing = newPace(run, d.Ordered)
	}
	return d, p, missing
}
