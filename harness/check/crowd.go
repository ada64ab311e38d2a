package check

import (
	"cmp"
	"slices"
	"time"
)

// passage is when a request was admitted.
type passage struct {
	span
	seq uint64
}

// crowd is what one client was admitted.
type crowd struct {
	byEnd  []passage
	begin  []time.Duration // when each of them began, the earliest first
	places []int32         // where the beginning of each of byEnd is in begin
}

// newCrowd orders the passages, of which there must be some, in their own slice.
func newCrowd(passages []passage) *crowd {
	slices.SortStableFunc(passages, func(a, b passage) int { return cmp.Compare(a.to, b.to) })
	c := &crowd{byEnd: passages, begin: make([]time.Duration, len(passages)), places: make([]int32, len(passages))}
	for i, p := range passages {
		c.begin[i] = p.from
	}
	slices.Sort(c.begin)
	for i, p := range passages {
		place, _ := slices.BinarySearch(c.begin, p.from)
		c.places[i] = int32(place)
	}
	return c
}

// busiest is the span of time in which the largest share of the limit was surely admitted, and that share. What was admitted
// in a span are the passages that lie wholly within it.
//
// A share is a ratio, which is hard to maximise, but what a span admits beyond a given share is not. So begin with the
// share of the whole time, take that of the span which admits the most beyond it, and go on with this one until none admits
// more: a handful of rounds (Dinkelbach's method).
func (c *crowd) busiest(b bucket) (s span, share float64) {
	s = span{c.begin[0], c.byEnd[len(c.byEnd)-1].to}
	share = c.share(b, s)
	for {
		next := newSweep(c, b, share).furthest()
		more := c.share(b, next)
		if more <= share {
			return s, share
		}
		s, share = next, more
	}
}

// share is how much of the limit was admitted in that span.
func (c *crowd) share(b bucket, s span) float64 {
	n := 0
	for _, p := range c.byEnd {
		if p.from >= s.from && p.to <= s.to {
			n++
		}
	}
	return float64(n) / b.most(s.to-s.from)
}

// requests are the first ones that were admitted in that span.
func (c *crowd) requests(s span) (seqs []uint64) {
	for _, p := range c.byEnd {
		if p.from >= s.from && p.to <= s.to && len(seqs) < MaxCalls {
			seqs = append(seqs, p.seq)
		}
	}
	return seqs
}

// sweep goes through the ends of spans and keeps the beginnings that may be the best for some end. The height of a beginning
// is its time, by that share, and the time in which the bucket gains what was admitted since: what a span admits beyond the
// share is the height of its beginning less what its end costs. A passage raises all beginnings up to its own alike.
// So one that is no higher than an earlier one never will be, and is dropped. The heights of those that are kept rise from
// each to the next, and the last is the highest.
type sweep struct {
	*crowd
	bucket
	share float64
	lead  []float64 // by how much a kept beginning is higher than the one kept before it
	next  []int32   // the one kept after it; none after the last
	heir  []int32   // itself if it is kept, else an earlier one, and so on until one that is kept
	last  int32
	top   float64 // height of the last
}

func newSweep(c *crowd, b bucket, share float64) *sweep {
	n := len(c.begin)
	return &sweep{crowd: c, bucket: b, share: share, lead: make([]float64, n), next: make([]int32, n), heir: make([]int32, n), last: none}
}

// furthest is the span that admits the most beyond the share.
func (s *sweep) furthest() (best span) {
	most, begun := 0.0, 0
	for i, p := range s.byEnd {
		for ; begun < len(s.begin) && s.begin[begun] <= p.to; begun++ {
			s.keep(int32(begun))
		}
		s.raise(s.places[i])
		if beyond := s.top - s.share*float64(p.to+s.fill); i == 0 || beyond > most {
			most, best = beyond, span{s.begin[s.last], p.to}
		}
	}
	return best
}

// keep adds the next beginning, since which nothing was admitted yet.
func (s *sweep) keep(begin int32) {
	height := s.share * float64(s.begin[begin])
	if s.last != none && height <= s.top {
		s.heir[begin] = s.last
		return
	}
	if s.last != none {
		s.lead[begin], s.next[s.last] = height-s.top, begin
	}
	s.heir[begin], s.next[begin] = begin, none
	s.last, s.top = begin, height
}

// raise adds a passage that began there: it lifts all beginnings up to that one, and drops later ones that are overtaken.
func (s *sweep) raise(begin int32) {
	at, by := s.kept(begin), float64(s.every)
	for k := s.next[at]; k != none; k = s.next[at] {
		s.lead[k] -= by
		if s.lead[k] > 0 {
			return
		}
		by = -s.lead[k]
		s.heir[k], s.next[at] = at, s.next[k]
	}
	s.last, s.top = at, s.top+by
}

// kept is the last beginning up to that one that is kept. It shortens the way there for the next time.
func (s *sweep) kept(begin int32) int32 {
	for s.heir[begin] != begin {
		s.heir[begin] = s.heir[s.heir[begin]]
		begin = s.heir[begin]
	}
	return begin
}
