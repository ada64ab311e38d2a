package check

import (
	"iter"
	"slices"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// keys numbers the keys that requests and upstream calls have, from 0, so that checks need not look up any string twice. All
// its slices are by the place of the record.
type keys struct {
	total   int     // how many there are
	empty   int32   // of the key that is an empty string; none if there is none
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
		row: make([]int32, 0, count(run.EachRow()))}
	var others []int32 // requests whose answer names another key than theirs
	for i, c := range run.EachCall() {
		k.request = append(k.request, number.enter(c.Key))
		if c.Answer.Key != c.Key {
			others = append(others, int32(i))
		}
	}
	for _, u := range run.EachUpstream() {
		k.call = append(k.call, number.enter(u.Key))
	}
	k.answer = slices.Clone(k.request)
	for _, i := range others {
		k.answer[i] = number.of(run.CallAt(int(i)).Answer.Key)
	}
	for _, w := range run.EachRow() {
		k.row = append(k.row, number.of(w.Key))
	}
	k.total, k.empty = len(number.keys), number.of("")
	return k
}

// numbers are those of the keys.
type numbers struct {
	*index
	keys []string
	last int32 // that was asked for
}

// newNumbers has room for that many keys, and grows for more.
func newNumbers(keys int) *numbers {
	n := &numbers{keys: make([]string, 0, keys), last: none}
	n.index = newIndex(keys, func(number int32) string { return n.keys[number] })
	return n
}

// enter gives the number of a key, a new one if it has none.
func (n *numbers) enter(key string) int32 {
	if n.guess(key) {
		return n.last
	}
	if n.last = n.index.enter(key, int32(len(n.keys))); int(n.last) == len(n.keys) {
		n.keys = append(n.keys, key)
	}
	return n.last
}

// of gives the number of a key; none if it has none.
func (n *numbers) of(key string) int32 {
	if !n.guess(key) {
		n.last = n.find(key)
	}
	return n.last
}

// guess tries the last key and the one behind it: neighbours often have the same key, and all records come in nearly the same
// order. That costs less than to look the key up, which takes the CPU to places that are not in its cache.
func (n *numbers) guess(key string) bool {
	for likely := max(n.last, 0); likely <= n.last+1 && int(likely) < len(n.keys); likely++ {
		if n.keys[likely] == key {
			n.last = likely
			return true
		}
	}
	return false
}

func count[T any](records iter.Seq2[int, T]) (n int) {
	for range records {
		n++
	}
	return n
}
