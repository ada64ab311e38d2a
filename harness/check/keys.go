package check

import (
	"iter"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// keys numbers the keys that requests and upstream calls have, from 0, so that checks need not look up any string twice. All
// its slices are by the place of the record.
type keys struct {
	total   int     // how many there are
	request []int32 // of the request's key
	answer  []int32 // of the key that its answer names; none if nobody asked for it
	call    []int32 // of the upstream call's key
	row     []int32 // of the row's key; none if nobody asked for it
}

func readKeys(run *evidence.Run) *keys { return evidence.Derive(run, newKeys) }

func newKeys(run *evidence.Run) *keys {
	calls := count(run.EachUpstream())
	number := make(numbers, calls)
	k := &keys{call: make([]int32, 0, calls), request: make([]int32, 0, count(run.EachCall())),
		answer: make([]int32, 0, count(run.EachCall())), row: make([]int32, 0, count(run.EachRow()))}
	for _, c := range run.EachCall() {
		k.request = append(k.request, number.enter(c.Key))
	}
	for _, u := range run.EachUpstream() {
		k.call = append(k.call, number.enter(u.Key))
	}
	for i, c := range run.EachCall() {
		if c.Answer.Key == c.Key {
			k.answer = append(k.answer, k.request[i])
		} else {
			k.answer = append(k.answer, number.find(c.Answer.Key))
		}
	}
	for _, w := range run.EachRow() {
		k.row = append(k.row, number.find(w.Key))
	}
	k.total = len(number)
	return k
}

// numbers are those of the keys.
type numbers map[string]int32

func (s numbers) enter(key string) int32 {
	n, known := s[key]
	if !known {
		n = int32(len(s))
		s[key] = n
	}
	return n
}

func (s numbers) find(key string) int32 {
	if n, known := s[key]; known {
		return n
	}
	return none
}

func count[T any](records iter.Seq2[int, T]) (n int) {
	for range records {
		n++
	}
	return n
}
