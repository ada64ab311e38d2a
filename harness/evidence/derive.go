package evidence

import (
	"reflect"
	"sync"
)

// Derive gives what from makes of the run: an index, say, that many readers need. It is made once per type T and kept with
// the run, so T must be a type of its own, made from the run alone, and nobody may change it. It is safe for concurrent use.
func Derive[T any](r *Run, from func(*Run) T) T {
	made, _ := r.kept.LoadOrStore(reflect.TypeFor[T](), sync.OnceValue(func() T { return from(r) }))
	return made.(func() T)()
}
