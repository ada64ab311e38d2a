package check

import "hash/maphash"

// index finds the places of things by their names, as a map would. A million names in a map leave the cache of the CPU with
// every look, and all of them are walked through whenever garbage is collected. So the index holds only a hash and a place
// of each, and has the one who made it tell the name that belongs to a place, to compare.
type index struct {
	seed  maphash.Seed
	slots []slot // a power of two, of which at most half are taken; a thing is at its hash or in the slots behind it
	taken int
	name  func(place int32) string
}

type slot struct {
	hash  uint32
	place int32 // from 1: no place is 0
}

// newIndex has room for that many names, and grows for more.
func newIndex(names int, name func(place int32) string) *index {
	size := 2
	for size < 2*names {
		size *= 2
	}
	return &index{maphash.MakeSeed(), make([]slot, size), 0, name}
}

// add enters a name, and returns the place that it was entered with before; none if it is new.
func (x *index) add(name string, place int32) (before int32) {
	hash := x.hash(name)
	s := x.slot(hash, name)
	before = s.place - 1
	*s = slot{hash, place + 1}
	if before == none {
		x.grow()
	}
	return before
}

// enter gives the place that a name was entered with, and enters it with that place if it is new.
func (x *index) enter(name string, place int32) int32 {
	hash := x.hash(name)
	s := x.slot(hash, name)
	if s.place == 0 {
		*s = slot{hash, place + 1}
		x.grow()
		return place
	}
	return s.place - 1
}

// grow makes room for one more.
func (x *index) grow() {
	x.taken++
	if 2*x.taken <= len(x.slots) {
		return
	}
	old := x.slots
	x.slots = make([]slot, 2*len(old))
	last := uint32(len(x.slots) - 1)
	for _, s := range old {
		if s.place == 0 {
			continue
		}
		i := s.hash & last
		for x.slots[i].place != 0 {
			i = (i + 1) & last
		}
		x.slots[i] = s
	}
}

// find gives the place that a name was entered with; none if it was not.
func (x *index) find(name string) int32 { return x.slot(x.hash(name), name).place - 1 }

func (x *index) hash(name string) uint32 { return uint32(maphash.String(x.seed, name)) }

// slot is where the name is or would be.
func (x *index) slot(hash uint32, name string) *slot {
	last := uint32(len(x.slots) - 1)
	for i := hash & last; ; i = (i + 1) & last {
		s := &x.slots[i]
		if s.place == 0 || s.hash == hash && x.name(s.place-1) == name {
			return s
		}
	}
}
