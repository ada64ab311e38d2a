package evidence

import (
	"hash/maphash"
	"math/bits"
	"slices"
)

// None is the place of a record that is not there.
const None = int32(-1)

// IDs are the places of records by their ids. Records that are in the order of their ids are searched; the places of others are in a
// hash table, of places alone, since a map would hold a million ids a second time.
type IDs struct {
	id    func(place int32) string
	n     int32 // records
	seed  maphash.Seed
	slots []slot   // at most two of three are taken; nil if the records are in order
	twice []string // ids that a record shares with an earlier one
}

// slot is a place, None where the slot is free, and a part of its id's hash, which spares most looks at ids that differ.
type slot struct {
	place int32
	hash  uint32
}

// NewIDs takes the ids of records, by the places of the records. Of records that share an id it knows the first.
func NewIDs[T any](records []T, id func(*T) string) *IDs {
	ids := &IDs{id: func(place int32) string { return id(&records[place]) }, n: int32(len(records))}
	if ids.inOrder() {
		return ids
	}
	ids.seed, ids.slots = maphash.MakeSeed(), slices.Repeat([]slot{{place: None}}, len(records)*3/2+1)
	for i := range records {
		id := id(&records[i])
		if at, hash := ids.slot(id); at.place == None {
			*at = slot{int32(i), hash}
		} else {
			ids.twice = append(ids.twice, id)
		}
	}
	return ids
}

// inOrder reports whether each id comes after the one before. No two are the same then.
func (ids *IDs) inOrder() bool {
	last := ""
	for place := range ids.n {
		id := ids.id(place)
		if place > 0 && !comesBefore(last, id) {
			return false
		}
		last = id
	}
	return true
}

// comesBefore orders ids by length, then by bytes: ids that end in a number count up.
func comesBefore(a, b string) bool { return len(a) < len(b) || len(a) == len(b) && a < b }

// slot is that of the record with an id, or the one that it would have, and the part of the id's hash for it.
func (ids *IDs) slot(id string) (*slot, uint32) {
	whole := maphash.String(ids.seed, id)
	home, _ := bits.Mul64(whole, uint64(len(ids.slots)))
	for i, hash := home, uint32(whole); ; i++ {
		if i == uint64(len(ids.slots)) {
			i = 0
		}
		if s := &ids.slots[i]; s.place == None || s.hash == hash && ids.id(s.place) == id {
			return s, hash
		}
	}
}

// Twice is the first id that two records have, if any do.
func (ids *IDs) Twice() (id string, found bool) {
	if len(ids.twice) == 0 {
		return "", false
	}
	return ids.twice[0], true
}

// Place is where the record with that id is; None if there is no such record.
func (ids *IDs) Place(id string) int32 { return ids.near(id, None) }

// near is the place of an id that may be found at the guess, or not far from it. The guess need not be a place.
func (ids *IDs) near(id string, guess int32) int32 {
	if ids.slots == nil {
		return ids.search(id, guess)
	}
	if len(ids.twice) == 0 && 0 <= guess && guess < ids.n && ids.id(guess) == id {
		return guess
	}
	s, _ := ids.slot(id)
	return s.place
}

// search finds an id among records that are in order, with steps that double from the guess, and then by halves.
func (ids *IDs) search(id string, guess int32) int32 {
	from, to, at := 0, int(ids.n), int(guess)
	for step := 1; from < to; step *= 2 {
		if at < from || at >= to {
			at = from + (to-from)/2
		}
		switch got := ids.id(int32(at)); {
		case got == id:
			return int32(at)
		case comesBefore(got, id):
			from = at + 1
			at += step
		default:
			to = at
			at -= step
		}
	}
	return None
}

// Places gives for each record the place of the one that it names; None if there is no such record. Neighbours mostly name the same
// one, or neighbours.
func Places[T any](ids *IDs, records []T, names func(*T) string) []int32 {
	places, last, before := make([]int32, len(records)), None, ""
	for i := range records {
		if name := names(&records[i]); i == 0 || name != before {
			last, before = ids.near(name, last+1), name
		}
		places[i] = last
	}
	return places
}

// RequestIDs are the ids of the requests of a run.
func RequestIDs(run *Run) *IDs { return Derive(run, newRequestIDs).IDs }

type requestIDs struct{ *IDs }

func newRequestIDs(run *Run) requestIDs {
	return requestIDs{NewIDs(Requests.Of(run), func(r *Request) string { return r.ID })}
}
