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
	calls, requests := count(run.EachUpstream()), count(run.EachCall())
	number := newNumbers(calls)
	k := &keys{call: make([]int32, 0, calls), request: make([]int32, 0, requests),
		answer: make([]int32, 0, requests), row: make([]int32, 0, count(run.EachRow()))}
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
			k.answer = append(k.answer, number.of(c.Answer.Key))
		}
	}
	for _, w := range run.EachRow() {
		k.row = append(k.row, number.of(w.Key))
	}
	k.total = len(number.keys)
	return k
}

// numbers are those of the keys.
type numbers struct {
	*index
	keys []string
	last int32 // that was asked for: neighbours often have the same key
}

// newNumbers has room for that many keys, and grows for more.
func newNumbers(keys int) *numbers {
	n := &numbers{last: none}
	n.index = newIndex(keys, func(number int32) string { return n.keys[number] })
	return n
}

// enter gives the number of a key, a new one if it has none.
func (n *numbers) enter(key string) int32 {
	if n.of(key) == none {
		n.last = int32(len(n.keys))
		n.keys = append(n.keys, key)
		n.add(key, n.last)
	}
	return n.last
}

// of gives the number of a key; none if it has none.
func (n *numbers) of(key string) int32 {
	if n.last == none || n.keys[n.last] != key {
		n.last = n.find(key)
	}
	return n.last
}

func count[T any](records iter.Seq2[int, T]) (n int) {
	for range records {
		n++
	}
	return n
}
