// Package corrupt spoils the evidence of a run, one record at a time, to see which corruptions no check notices: records that are
// deleted, doubled, or altered in one field. It knows records only as they are written, so it can spoil any kind of any system.
package corrupt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
	"golang.org/x/sync/errgroup"
)

// What can be done to a record, beside altering one of its fields. No field has such a name.
const (
	Deleted = "(deleted)"
	Doubled = "(doubled)"
)

// How many records of each kind are deleted, doubled, and altered in each of their fields. They are chosen at random, so different
// seeds and different runs try different ones.
const (
	perRecord = 20
	perField  = 5
)

// Judge judges evidence. It returns what is held against it first, and nothing if all checks pass. It must be safe for concurrent
// use.
type Judge func(*evidence.Run) (objection string)

// ErrObjection says that there is an objection to evidence that nobody has spoiled yet.
var ErrObjection = errors.New("it does not pass as it is")

// Result is what became of one way to spoil the records of a kind.
type Result struct {
	Kind    string
	What    string   // Deleted, Doubled, or the field that was altered
	Tried   int      // copies that were judged, each with another record spoiled
	Noticed int      // of these, copies to which there was an objection
	Exempt  int      // further ones, which were not judged
	Why     []string // they are exempt
	Example string   // of what was not noticed; empty if all was
}

// Missed are the corruptions that nobody noticed.
func (r Result) Missed() int { return r.Tried - r.Noticed }

// Try spoils records of all kinds that a saved run has, and judges each copy. It yields a result for each way to spoil each kind,
// and ends with the first error: ErrObjection before there is a result, or what is wrong with the files. The same seed spoils the same.
// Nothing is written: the copies share what they have in common with the run.
func Try(run *evidence.Run, judge Judge, exempt []Exemption, seed uint64) iter.Seq2[Result, error] {
	return func(yield func(Result, error) bool) {
		if o := judge(run); o != "" { // the kinds that are read by this are known with all their fields
			yield(Result{}, fmt.Errorf("%w: %s", ErrObjection, o))
			return
		}
		kinds, err := run.Written()
		if err != nil {
			yield(Result{}, err)
			return
		}
		s := spoiler{run, judge, exempt, rand.New(rand.NewPCG(seed, stream))}
		for _, kind := range kinds {
			lines, err := run.Lines(kind)
			if err != nil {
				yield(Result{}, err)
				return
			}
			for r := range s.spoil(newRecords(kind, lines, run.Fields(kind))) {
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

// stream keeps these random choices apart from those that a plan draws from the same seed.
const stream = 0xc0

// spoiler spoils the records of one run.
type spoiler struct {
	run    *evidence.Run
	judge  Judge
	exempt []Exemption
	*rand.Rand
}

// corruption is a record that is spoiled.
type corruption struct {
	place   int
	instead []byte // the lines in its place
	change  string // for people
}

// spoil yields the results of the ways to spoil records of one kind.
func (s spoiler) spoil(all *records) iter.Seq[Result] {
	return func(yield func(Result) bool) {
		for _, what := range append([]string{Deleted, Doubled}, slices.Sorted(maps.Keys(all.fields))...) {
			r, drawn := s.draw(all, what)
			s.try(all, drawn, &r)
			if r.Tried+r.Exempt > 0 && !yield(r) {
				return
			}
		}
	}
}

// draw draws corruptions of one sort, each of another record, and counts those that are exempt.
func (s spoiler) draw(all *records, what string) (r Result, drawn []corruption) {
	r = Result{Kind: all.kind, What: what}
	times := perField
	if what == Deleted || what == Doubled {
		times = perRecord
	}
	for _, place := range s.Perm(len(all.lines)) {
		if r.Exempt+len(drawn) == times {
			break
		}
		c, ok := all.corrupt(place, what, s.Rand)
		if !ok {
			continue
		}
		if why, ok := s.exempted(all.kind, what, all.lines[place]); ok {
			r.Exempt++
			if !slices.Contains(r.Why, why) {
				r.Why = append(r.Why, why)
			}
			continue
		}
		drawn = append(drawn, c)
	}
	return r, drawn
}

// exempted is why nobody need notice that the record is spoiled so.
func (s spoiler) exempted(kind, what string, record []byte) (why string, ok bool) {
	for _, e := range s.exempt {
		if e.Kind == kind && slices.Contains(e.What, what) && (e.If == nil || e.If(s.run, record)) {
			return e.Why, true
		}
	}
	return "", false
}

// try judges a copy of the run for each corruption, as many at a time as there are processors.
func (s spoiler) try(all *records, drawn []corruption, r *Result) {
	noticed := make([]bool, len(drawn))
	var judges errgroup.Group
	judges.SetLimit(runtime.GOMAXPROCS(0))
	for i, c := range drawn {
		judges.Go(func() error {
			noticed[i] = s.judge(s.run.Altered(all.kind, all.with(c))) != ""
			return nil
		})
	}
	_ = judges.Wait() // they return no errors
	for i, c := range drawn {
		r.Tried++
		switch {
		case noticed[i]:
			r.Noticed++
		case r.Example == "":
			r.Example = fmt.Sprintf("%s in %s", c.change, brief(all.lines[c.place]))
		}
	}
}

// brief is the beginning of a record: samples have kilobytes.
func brief(line []byte) string {
	const most = 200
	line = bytes.TrimSpace(line)
	if len(line) <= most {
		return string(line)
	}
	return fmt.Sprintf("%s... (%d bytes)", bytes.ToValidUTF8(line[:most], nil), len(line))
}

// records are those of one kind, as they are written.
type records struct {
	kind   string
	lines  [][]byte
	fields map[string]*field
}

// newRecords learns from the records which fields there are, and what they have. Fields that no record has may be known beforehand.
func newRecords(kind string, lines [][]byte, known map[string]json.RawMessage) *records {
	all := &records{kind, lines, map[string]*field{}}
	for name, zero := range known {
		all.fields[name] = &field{zero: zero}
	}
	for _, line := range lines {
		for name, v := range decode(line) {
			if all.fields[name] == nil {
				all.fields[name] = &field{zero: zeroOf(v)}
			}
			all.fields[name].see(v)
		}
	}
	for _, f := range all.fields {
		if f.seen < len(lines) {
			f.see(f.zero)
		}
	}
	return all
}

// decode takes a record apart; one that is no JSON object has no fields.
func decode(line []byte) (fields map[string]json.RawMessage) {
	if json.Unmarshal(line, &fields) != nil {
		return nil
	}
	return fields
}

// corrupt spoils one record. It does not if the field has no other value.
func (all *records) corrupt(place int, what string, r *rand.Rand) (c corruption, ok bool) {
	line := all.lines[place]
	switch what {
	case Deleted:
		return corruption{place, nil, "this record is gone"}, true
	case Doubled:
		return corruption{place, slices.Concat(line, line), "there is one more"}, true
	}
	fields := decode(line)
	was, written := fields[what]
	if !written {
		was = all.fields[what].zero
	}
	is, ok := all.fields[what].other(what, was, r)
	if !ok || fields == nil {
		return corruption{}, false
	}
	fields[what] = is
	b, err := json.Marshal(fields)
	return corruption{place, append(b, '\n'), fmt.Sprintf("%s is %s instead of %s", what, brief(is), brief(was))}, err == nil
}

// with are the lines of the file with a corruption.
func (all *records) with(c corruption) []byte {
	return slices.Concat(bytes.Join(all.lines[:c.place], nil), c.instead, bytes.Join(all.lines[c.place+1:], nil))
}
