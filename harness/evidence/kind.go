package evidence

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"slices"
	"sort"
	"sync"
)

// Kind is a kind of record: one NDJSON file under evidence/, and what reads and writes it. Whoever needs a kind of its own
// declares one, in one line; nothing else has to know of it.
type Kind[T any] struct {
	name  string
	order func(a, b *T) int
}

// NewKind declares a kind. Its file is evidence/<name>.ndjson; order compares two records, most often by time.
func NewKind[T any](name string, order func(a, b *T) int) *Kind[T] { return &Kind[T]{name, order} }

// Name is that of the kind's file, without its ending.
func (k *Kind[T]) Name() string { return k.name }

// Put records v. Without a recorder, as in a warm-up, nothing happens.
func (k *Kind[T]) Put(r *Recorder, v T) {
	if r != nil {
		r.put(k.name, v)
	}
}

// Of returns the run's records of this kind in their order. They are read from disk at the first use, and kept. Nobody may
// change them. Records that do not read are left out, and Run.Err says so.
func (k *Kind[T]) Of(r *Run) []T {
	kept, _ := r.kept.LoadOrStore(k, sync.OnceValue(func() []T { return k.read(r) }))
	return kept.(func() []T)()
}

// Each yields the records of Of with their places, from 0, without copying them.
func (k *Kind[T]) Each(r *Run) iter.Seq2[int, *T] {
	return func(yield func(int, *T) bool) {
		all := k.Of(r)
		for i := range all {
			if !yield(i, &all[i]) {
				return
			}
		}
	}
}

// Records are those of one kind, for a run that is built by hand.
type Records func(*Run)

// With makes records of this kind, in any order, part of a run that is built by hand.
func (k *Kind[T]) With(records ...T) Records {
	return func(r *Run) {
		all := append(slices.Clone(k.Of(r)), records...)
		k.sort(all)
		r.kept.Store(k, func() []T { return all })
	}
}

// sort compares records where they are: as arguments of the functions of slices, a million of them would be copied to the heap.
func (k *Kind[T]) sort(all []T) {
	before := func(i, j int) bool { return k.order(&all[i], &all[j]) < 0 }
	if !sort.SliceIsSorted(all, before) {
		sort.SliceStable(all, before)
	}
}

func (k *Kind[T]) read(r *Run) []T {
	if a := r.altered; a != nil && a.kind != k.name {
		return k.Of(a.of)
	}
	f, err := r.open(k.name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nothing of this kind was recorded; if something was, Open has missed the file
	}
	if err != nil {
		r.fail(err)
		return nil
	}
	defer f.Close()
	all, err := readLines[T](f, r.intern)
	if err != nil {
		r.fail(fmt.Errorf("%s: %w", r.path(k.name), err))
		return nil
	}
	k.sort(all)
	return all
}

// interner is a record with strings that many others have, too, such as names of nodes: in a run of a million requests, copies
// would be a third of all memory.
type interner interface{ Intern(func(string) string) }

// readLines decodes one record per line and leaves out a last line that is cut.
func readLines[T any](r io.Reader, intern func(string) string) (all []T, err error) {
	br := bufio.NewReaderSize(r, 1<<16)
	for n := 1; ; n++ {
		line, err := br.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		var v T
		if err := json.Unmarshal(bytes.TrimSpace(line), &v); err != nil {
			return nil, fmt.Errorf("line %d: %w: %w", n, ErrDamaged, err)
		}
		if s, ok := any(&v).(interner); ok {
			s.Intern(intern)
		}
		all = append(all, v)
	}
}
