package evidence

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// ErrNotARun says that a folder holds no run; ErrFormat that it holds one of another version; ErrDamaged that its files hold
// what nobody would have written, which being cut short does not explain.
var (
	ErrNotARun = errors.New("not a run: no plan.json")
	ErrFormat  = errors.New("unknown evidence format")
	ErrDamaged = errors.New("damaged evidence")
)

// Run is the evidence of one run. It is read-only, and safe for concurrent use. Its records are had from their kinds: Kind.Of.
type Run struct {
	Plan Plan
	// Complete is false when the harness was cut short: absence of a record then proves nothing.
	Complete bool

	dir     string      // of the records; empty for a run that was built by hand
	altered *alteration // nil for a run that is none of another
	kept    sync.Map    // records by *Kind, and what Derive made by type

	mu      sync.Mutex
	strings map[string]string
	err     error
}

// New builds a complete run by hand.
func New(p Plan, records ...Records) *Run {
	run := &Run{Plan: p, Complete: true}
	for _, add := range records {
		add(run)
	}
	return run
}

// Open opens a saved run. Evidence without a manifest, or of which something is missing or cut, is not Complete and is read as
// far as it goes. What does not parse at all is found when it is read: see Err.
func Open(dir string) (*Run, error) {
	plan, err := ReadPlan(dir)
	if err != nil {
		return nil, err
	}
	run := &Run{Plan: plan, dir: filepath.Join(dir, Dir), strings: map[string]string{}}
	var m manifest
	err = ReadJSON(filepath.Join(run.dir, manifestFile), &m)
	if errors.Is(err, fs.ErrNotExist) {
		return run, nil
	}
	if err != nil {
		return nil, err
	}
	run.Complete, err = whole(run.dir, m)
	return run, err
}

// whole reports whether the files hold as many records as the manifest says, and nothing else is there.
func whole(dir string, m manifest) (bool, error) {
	files, err := kindFiles(dir)
	if err != nil {
		return false, err
	}
	all := len(files) == len(m.Records)
	for kind, want := range m.Records {
		n, cut, err := countLines(filepath.Join(dir, kind+suffix))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		all = all && err == nil && n == want && !cut
	}
	return all, nil
}

// countLines counts the whole lines of a file, and reports whether a line that is cut follows them.
func countLines(path string) (n uint64, cut bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, false, err
	}
	defer f.Close()
	for buf := make([]byte, 1<<16); ; {
		got, err := f.Read(buf)
		n += uint64(bytes.Count(buf[:got], []byte{'\n'}))
		if got > 0 {
			cut = buf[got-1] != '\n'
		}
		if errors.Is(err, io.EOF) {
			return n, cut, nil
		}
		if err != nil {
			return 0, false, fmt.Errorf("count records: %w", err)
		}
	}
}

// Err is what was wrong with the files of the records that were read so far, ErrDamaged as a rule; nil if nothing was.
func (r *Run) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil && r.altered != nil {
		return r.altered.of.Err()
	}
	return r.err
}

func (r *Run) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
	}
}

// intern returns the first copy of a string.
func (r *Run) intern(s string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	first, known := r.strings[s]
	if !known {
		first, r.strings[s] = s, s
	}
	return first
}

// ReadPlan reads only the plan of a saved run: ErrNotARun if there is none, ErrFormat if it is of another version.
func ReadPlan(dir string) (Plan, error) {
	var p Plan
	err := ReadJSON(filepath.Join(dir, PlanFile), &p)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Plan{}, fmt.Errorf("%s: %w", dir, ErrNotARun)
	case err != nil:
		return Plan{}, err
	case p.Format != Format:
		return Plan{}, fmt.Errorf("%s: %w %d: this build reads %d", dir, ErrFormat, p.Format, Format)
	}
	return p, nil
}

// Window finds a phase by its name.
func (r *Run) Window(name string) (Window, bool) {
	return find(Windows.Of(r), func(w *Window) bool { return w.Name == name })
}

// Injection finds the fault of that name.
func (r *Run) Injection(fault string) (Injection, bool) {
	return find(Injections.Of(r), func(i *Injection) bool { return i.Fault == fault })
}

// Node finds a member by its name.
func (r *Run) Node(name string) (Node, bool) {
	return find(Nodes.Of(r), func(n *Node) bool { return n.Name == name })
}

// Subjects are the nodes of the service under test by name.
func (r *Run) Subjects() (all []Node) {
	for _, n := range Nodes.Of(r) {
		if n.Subject {
			all = append(all, n)
		}
	}
	return all
}

// ExitOf finds the first end of the node from a moment on.
func (r *Run) ExitOf(node string, from time.Duration) (Exit, bool) {
	return find(Exits.Of(r), func(e *Exit) bool { return e.Node == node && e.At >= from })
}

// FirstSaw finds the first observation of that kind of a node from a moment on, by the given observer or, if source is
// empty, by anybody.
func (r *Run) FirstSaw(node, source, what string, from time.Duration) (Observation, bool) {
	return find(Observations.Of(r), func(o *Observation) bool {
		return o.Node == node && o.What == what && o.At >= from && (source == "" || o.Source == source)
	})
}

// LastSaw finds what the source said of the node last within the span.
func (r *Run) LastSaw(node, source string, within Span) (last Observation, ok bool) {
	for _, o := range Observations.Each(r) {
		if o.Node == node && o.Source == source && within.Holds(o.At) {
			last, ok = *o, true
		}
	}
	return last, ok
}

// TakenOver finds the first node other than the fault's target that source called lead while the fault was in force.
func (r *Run) TakenOver(in Injection, source, lead string) (Observation, bool) {
	return find(Observations.Of(r), func(o *Observation) bool {
		return o.Source == source && o.What == lead && o.Node != in.Target && in.InForce().Holds(o.At)
	})
}

// UnderFault are the times in which a fault of one of the kinds may have been on the node, confirmed or not: for ever if its heal
// failed or was never ordered.
func (r *Run) UnderFault(node string, kinds ...string) []Span {
	return r.under(node, func(in *Injection) bool { return slices.Contains(kinds, in.Kind) })
}

// Silenced are those in which one that silences may have been on it.
func (r *Run) Silenced(node string) []Span {
	return r.under(node, func(in *Injection) bool { return in.MaySilence() })
}

func (r *Run) under(node string, such func(*Injection) bool) (times []Span) {
	for _, in := range Injections.Each(r) {
		switch {
		case in.Target != node || !such(in):
		case in.Undo != "":
			times = append(times, Span{in.Ordered, Forever})
		default:
			times = append(times, in.Felt(0))
		}
	}
	return times
}

// Collected reports whether the probe of that name looked at the end of the run, so that the absence of its records proves
// something.
func (r *Run) Collected(probe string) bool {
	_, ok := r.FirstSaw(probe, SourceProbe, ProbeCollected, 0)
	return ok
}

func find[T any](all []T, is func(*T) bool) (found T, ok bool) {
	for i := range all {
		if is(&all[i]) {
			return all[i], true
		}
	}
	return found, false
}

// Param gives a parameter of the plan and reports whether the plan has it.
func (r *Run) Param(name string) (time.Duration, bool) {
	d, ok := r.Plan.Params[name]
	return d, ok
}
