package check

import "github.com/sentinel-chaos/sentinel/harness/evidence"

// roster finds requests of the load by their id.
type roster struct {
	place map[string]int32 // in the client's record
	twice string           // an id that two requests have; empty if none
}

func readRoster(run *evidence.Run) *roster { return evidence.Derive(run, newRoster) }

func newRoster(run *evidence.Run) *roster {
	n := 0
	for range run.Calls() {
		n++
	}
	r := &roster{place: make(map[string]int32, n)}
	i := int32(0)
	for c := range run.Calls() {
		if _, known := r.place[c.ID]; known && r.twice == "" {
			r.twice = c.ID
		}
		r.place[c.ID] = i
		i++
	}
	return r
}

// request finds a request of the load.
func (r *roster) request(run *evidence.Run, id string) (evidence.Call, bool) {
	i, known := r.place[id]
	if !known {
		return evidence.Call{}, false
	}
	return run.CallAt(int(i)), true
}
