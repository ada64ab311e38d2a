package check

import "github.com/sentinel-chaos/sentinel/harness/evidence"

// none is the place of a record that is not there.
const none = int32(-1)

// places are where the records are that others name by their ids, none if there is no such record. All its slices are by the
// place of the record that names another.
type places struct {
	twice      string  // an id that two requests have; empty if none
	answer     []int32 // of the upstream call that a request's answer names
	caller     []int32 // of the request that an upstream call is for
	hop        []int32 // of the request that passed the load balancer
	rowRequest []int32 // of the request that a row is for
	rowCall    []int32 // of the upstream call that it names
}

func readPlaces(run *evidence.Run) *places { return evidence.Derive(run, newPlaces) }

func newPlaces(run *evidence.Run) *places {
	l := readLedger(run)
	p := &places{answer: make([]int32, 0, count(run.EachCall())), caller: make([]int32, 0, len(l.calls)), hop: make([]int32, 0, count(run.EachHop())),
		rowRequest: make([]int32, 0, count(run.EachRow())), rowCall: make([]int32, 0, count(run.EachRow()))}
	named := l.seeker()
	for _, c := range run.EachCall() {
		p.answer = append(p.answer, named(c.Answer.CallID))
	}
	r := newRoster(run)
	p.twice = r.twice
	seek := r.seeker()
	for _, u := range l.calls {
		p.caller = append(p.caller, seek(u.RequestID))
	}
	seek = r.seeker()
	for _, h := range run.EachHop() {
		p.hop = append(p.hop, seek(h.RequestID))
	}
	seek = r.seeker()
	for _, w := range run.EachRow() {
		request := seek(w.RequestID)
		p.rowRequest = append(p.rowRequest, request)
		call := none
		if request != none {
			call = p.answer[request] // as in most rows
		}
		if u, known := l.at(call); !known || u.ID != w.CallID {
			call = l.place(w.CallID)
		}
		p.rowCall = append(p.rowCall, call)
	}
	return p
}
