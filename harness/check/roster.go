package check

import (
	"cmp"
	"sort"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// roster finds requests of the load by their id. It is large, and readPlaces keeps what it finds.
//
// Clients number their requests, so as a rule the record is in the order of the ids. Then no two are alike, and one is found by
// bisection, from near where the last one was found: nothing has to be remembered, which at a million requests costs more
// than to look. Only ids in another order are indexed.
type roster struct {
	ids   []string // by place; in the records they are far apart
	byID  *index   // places in the client's record; of requests that share an id, the last. Nil if the ids are in order
	twice string   // an id that two requests have; empty if none
}

func newRoster(run *evidence.Run) *roster {
	r := &roster{ids: make([]string, 0, count(run.EachCall()))}
	for _, c := range run.EachCall() {
		r.ids = append(r.ids, c.ID)
	}
	if r.inOrder() {
		return r
	}
	r.byID = newIndex(len(r.ids), func(place int32) string { return r.ids[place] })
	for i, id := range r.ids {
		if r.byID.add(id, int32(i)) != none && r.twice == "" {
			r.twice = id
		}
	}
	return r
}

func (r *roster) inOrder() bool {
	for i := 1; i < len(r.ids); i++ {
		if compareIDs(r.ids[i-1], r.ids[i]) >= 0 {
			return false
		}
	}
	return true
}

// compareIDs has numbers without leading zeros in their order: the shorter one is less.
func compareIDs(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) }

// seeker finds the places of requests by their ids. Records come in nearly the order of the requests that they are of, so it
// looks first at the request after the one that it found last.
func (r *roster) seeker() func(id string) int32 {
	next := int32(0)
	return func(id string) int32 {
		place := r.from(next, id)
		if place != none {
			next = place + 1
		}
		return place
	}
}

// from finds the place of an id that is most likely there.
func (r *roster) from(likely int32, id string) int32 {
	n := int32(len(r.ids))
	switch {
	case r.twice == "" && likely < n && r.ids[likely] == id:
		return likely
	case r.byID != nil:
		return r.byID.find(id)
	}
	low, high := r.around(likely, id)
	place := low + int32(sort.Search(int(high-low), func(i int) bool { return compareIDs(r.ids[low+int32(i)], id) >= 0 }))
	if place < n && r.ids[place] == id {
		return place
	}
	return none
}

// around bounds where an id is or would be, by ever longer steps away from the place where it is likely: it is not before low, and
// at high at the latest.
func (r *roster) around(likely int32, id string) (low, high int32) {
	n := int32(len(r.ids))
	low, high = likely, likely
	for step := int32(1); low > 0 && compareIDs(r.ids[low-1], id) >= 0; step *= 2 {
		high, low = low-1, max(0, low-step)
	}
	for step := int32(1); high < n && compareIDs(r.ids[high], id) < 0; step *= 2 {
		low, high = high+1, min(n, high+step)
	}
	return low, high
}
