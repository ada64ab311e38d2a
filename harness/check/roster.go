package check

import "github.com/sentinel-chaos/sentinel/harness/evidence"

// roster finds requests of the load by their id. It is large, and readPlaces keeps what it finds.
type roster struct {
	place map[string]int32 // in the client's record; of requests that share an id, the last
	twice string           // an id that two requests have; empty if none
}

func newRoster(run *evidence.Run) *roster {
	r := &roster{place: make(map[string]int32, count(run.EachCall()))}
	for i, c := range run.EachCall() {
		before := len(r.place)
		r.place[c.ID] = int32(i)
		if len(r.place) == before && r.twice == "" {
			r.twice = c.ID
		}
	}
	return r
}
