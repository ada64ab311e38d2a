package evidence

import (
	"hash/maphash"
	"math/bits"
	"slices"
)

// None is the place of a record that is not there.
const None = int32(-1)

// IDs are the places of records by their ids: a hash table of places alone, since a map would hold a million ids a second time.
type IDs struct {
	id    func(place int32) string
	n     int32 // records
	seed  maphash.Seed
	slots []int32  // None where one is free; a power of two, and at most half of them are taken
	twice []string // ids that a record shares with an earlier one
}

// NewIDs takes the ids of records, by the places of the records. Of records that share an id it knows the first.
func NewIDs[T any](records []T, id func(*T) string) *IDs {
	ids := &IDs{id: func(place int32) string { return id(&records[place]) }, n: int32(len(records)), seed: maphash.MakeSeed(),
		slots: slices.Repeat([]int32{None}, 2<<bits.Len(uint(len(records))))}
	for i := range records {
		id := id(&records[i])
		if slot := ids.slot(id); ids.slots[slot] == None {
			ids.slots[slot] = int32(i)
		} else {
			ids.twice = append(ids.twice, id)
		}
	}
	return ids
}

// slot is where the place of the record with that id is, or would be.
func (ids *IDs) slot(id string) uint64 {
	last := uint64(len(ids.slots) - 1)
	for slot := maphash.String(ids.seed, id) & last; ; slot = (slot + 1) & last {
		if place := ids.slots[slot]; place == None || ids.id(place) == id {
			return slot
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
func (ids *IDs) Place(id string) int32 { return ids.slots[ids.slot(id)] }

// Places gives for each record the place of the one that it names; None if there is no such record. Neighbours mostly name the same
// one, or neighbours.
func Places[T any](ids *IDs, records []T, names func(*T) string) []int32 {
	places, last := make([]int32, len(records)), None
	for i := range records {
		switch name := names(&records[i]); {
		case ids.at(last, name):
		case len(ids.twice) == 0 && ids.at(last+1, name):
			last++
		default:
			last = ids.Place(name)
		}
		places[i] = last
	}
	return places
}

// at reports whether the record at a place, which need not be one, has that id.
func (ids *IDs) at(place int32, id string) bool {
	return 0 <= place && place < ids.n && ids.id(place) == id
}

// RequestIDs are the ids of the requests of a run.
func RequestIDs(run *Run) *IDs { return Derive(run, newRequestIDs).IDs }

type requestIDs struct{ *IDs }

func newRequestIDs(run *Run) requestIDs {
	return requestIDs{NewIDs(Requests.Of(run), func(r *Request) string { return r.ID })}
}
