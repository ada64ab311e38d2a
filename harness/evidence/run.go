package evidence

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"sort"
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

// Run is the evidence of one run. It is read-only; iterators come in the order of time.
type Run struct {
	Plan Plan
	// Complete is false when the harness was cut short: absence of a record then proves nothing.
	Complete bool

	calls        []Call
	upstream     []Upstream
	hops         []Hop
	rows         []Row
	samples      []Sample
	exits        []Exit
	injections   []Injection
	observations []Observation
	windows      []Window
	nodes        []Node
	leases       []Lease
	logLines     []LogLine

	derived sync.Map // see Derive
}

// Records is the content of a run that was built by hand, for tests.
type Records struct {
	Calls        []Call
	Upstream     []Upstream
	Hops         []Hop
	Rows         []Row
	Samples      []Sample
	Exits        []Exit
	Injections   []Injection
	Observations []Observation
	Windows      []Window
	Nodes        []Node
	Leases       []Lease
	LogLines     []LogLine
}

// New builds a complete run from records in any order.
func New(p Plan, r Records) *Run {
	run := &Run{Plan: p, Complete: true, calls: slices.Clone(r.Calls), upstream: slices.Clone(r.Upstream), hops: slices.Clone(r.Hops),
		rows: slices.Clone(r.Rows), samples: slices.Clone(r.Samples), exits: slices.Clone(r.Exits), injections: slices.Clone(r.Injections),
		observations: slices.Clone(r.Observations), windows: slices.Clone(r.Windows), nodes: slices.Clone(r.Nodes),
		leases: slices.Clone(r.Leases), logLines: slices.Clone(r.LogLines)}
	run.sort()
	return run
}

// Open reads a saved run. Evidence without a manifest, or whose last line is cut, is read as far as it goes and is not
// Complete; anything else that does not parse is ErrDamaged.
func Open(dir string) (*Run, error) {
	plan, err := ReadPlan(dir)
	if err != nil {
		return nil, err
	}
	run := &Run{Plan: plan}
	var m manifest
	err = readJSON(filepath.Join(dir, evidenceDir, manifestFile), &m)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	run.Complete = err == nil
	l := &loader{dir: filepath.Join(dir, evidenceDir), run: run, manifest: m, strings: pool{}}
	load(l, kindCalls, &run.calls)
	load(l, kindUpstream, &run.upstream)
	load(l, kindHops, &run.hops)
	load(l, kindRows, &run.rows)
	load(l, kindSamples, &run.samples)
	load(l, kindExits, &run.exits)
	load(l, kindInjections, &run.injections)
	load(l, kindObservations, &run.observations)
	load(l, kindWindows, &run.windows)
	load(l, kindNodes, &run.nodes)
	load(l, kindLeases, &run.leases)
	load(l, kindLogLines, &run.logLines)
	if l.err != nil {
		return nil, l.err
	}
	run.sort()
	return run, nil
}

// ReadPlan reads only the plan of a saved run: ErrNotARun if there is none, ErrFormat if it is of another version.
func ReadPlan(dir string) (Plan, error) {
	var p Plan
	err := readJSON(filepath.Join(dir, planFile), &p)
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

func (r *Run) sort() {
	sort.SliceStable(r.calls, func(i, j int) bool { return r.calls[i].Seq < r.calls[j].Seq })
	sort.SliceStable(r.upstream, func(i, j int) bool { return r.upstream[i].Arrived < r.upstream[j].Arrived })
	sort.SliceStable(r.hops, func(i, j int) bool { return r.hops[i].At < r.hops[j].At })
	sort.SliceStable(r.rows, func(i, j int) bool { return r.rows[i].At < r.rows[j].At })
	sort.SliceStable(r.samples, func(i, j int) bool { return r.samples[i].At < r.samples[j].At })
	sort.SliceStable(r.exits, func(i, j int) bool { return r.exits[i].At < r.exits[j].At })
	sort.SliceStable(r.injections, func(i, j int) bool { return r.injections[i].Ordered < r.injections[j].Ordered })
	sort.SliceStable(r.observations, func(i, j int) bool { return r.observations[i].At < r.observations[j].At })
	sort.SliceStable(r.windows, func(i, j int) bool { return r.windows[i].From < r.windows[j].From })
	sort.SliceStable(r.nodes, func(i, j int) bool { return r.nodes[i].Name < r.nodes[j].Name })
	slices.SortStableFunc(r.leases, func(a, b Lease) int { return cmp.Or(cmp.Compare(a.Store, b.Store), cmp.Compare(a.Key, b.Key)) })
	slices.SortStableFunc(r.logLines, func(a, b LogLine) int { return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Line, b.Line)) })
}

// Calls yields the planned requests by Seq.
func (r *Run) Calls() iter.Seq[Call] { return slices.Values(r.calls) }

// EachCall yields the requests of Calls with their places, from 0, and copies none of them. Nobody may change what it points
// to; that holds for all methods that give pointers.
func (r *Run) EachCall() iter.Seq2[int, *Call] { return each(r.calls) }

// EachUpstream is EachCall for the records of Upstream.
func (r *Run) EachUpstream() iter.Seq2[int, *Upstream] { return each(r.upstream) }

// EachHop is EachCall for the records of Hops.
func (r *Run) EachHop() iter.Seq2[int, *Hop] { return each(r.hops) }

// EachRow is EachCall for the records of Rows.
func (r *Run) EachRow() iter.Seq2[int, *Row] { return each(r.rows) }

func each[T any](records []T) iter.Seq2[int, *T] {
	return func(yield func(int, *T) bool) {
		for i := range records {
			if !yield(i, &records[i]) {
				return
			}
		}
	}
}

// CallAt gives the i-th of Calls, from 0, so that who keeps many requests in mind need not copy them.
func (r *Run) CallAt(i int) *Call { return &r.calls[i] }

// HopAt gives the i-th of Hops, from 0.
func (r *Run) HopAt(i int) *Hop { return &r.hops[i] }

// RowAt gives the i-th of Rows, from 0.
func (r *Run) RowAt(i int) *Row { return &r.rows[i] }

// Upstream yields the upstream's ledger by arrival.
func (r *Run) Upstream() iter.Seq[Upstream] { return slices.Values(r.upstream) }

// Hops yields the load balancer's log by the time a request was received.
func (r *Run) Hops() iter.Seq[Hop] { return slices.Values(r.hops) }

// Rows yields the service's ledger.
func (r *Run) Rows() iter.Seq[Row] { return slices.Values(r.rows) }

// Samples yields the scrapes.
func (r *Run) Samples() iter.Seq[Sample] { return slices.Values(r.samples) }

// Exits yields the ends of processes.
func (r *Run) Exits() iter.Seq[Exit] { return slices.Values(r.exits) }

// Injections yields the faults by the time they were ordered.
func (r *Run) Injections() iter.Seq[Injection] { return slices.Values(r.injections) }

// Observations yields what independent observers saw.
func (r *Run) Observations() iter.Seq[Observation] { return slices.Values(r.observations) }

// Windows yields the phases.
func (r *Run) Windows() iter.Seq[Window] { return slices.Values(r.windows) }

// Nodes yields the members of the system under test, by name.
func (r *Run) Nodes() iter.Seq[Node] { return slices.Values(r.nodes) }

// Leases yields the locks and claims that were left at rest, by store and key.
func (r *Run) Leases() iter.Seq[Lease] { return slices.Values(r.leases) }

// LogLines yields the defects that nodes reported in their logs, by node and line.
func (r *Run) LogLines() iter.Seq[LogLine] { return slices.Values(r.logLines) }

// Window finds a phase by its name.
func (r *Run) Window(name string) (Window, bool) {
	for _, w := range r.windows {
		if w.Name == name {
			return w, true
		}
	}
	return Window{}, false
}

// Injection finds the first fault with that name.
func (r *Run) Injection(fault string) (Injection, bool) {
	for _, i := range r.injections {
		if i.Fault == fault {
			return i, true
		}
	}
	return Injection{}, false
}

// Node finds a member by its name.
func (r *Run) Node(name string) (Node, bool) {
	for _, n := range r.nodes {
		if n.Name == name {
			return n, true
		}
	}
	return Node{}, false
}

// Param gives a parameter of the plan and whether the plan has it.
func (r *Run) Param(name string) (time.Duration, bool) {
	d, ok := r.Plan.Params[name]
	return d, ok
}

type loader struct {
	dir      string
	run      *Run
	manifest manifest
	strings  pool
	err      error
}

// optional says whether the kind came to the format later: a run that was recorded before has neither the file nor a count
// in its manifest, and is complete without them. Checks that need such records say so.
func optional(kind string) bool { return kind == kindLeases || kind == kindLogLines }

// shortest is the size in bytes of records of which there are many; nearly all are longer.
const shortest = 64

func load[T any](l *loader, kind string, into *[]T) {
	if l.err != nil {
		return
	}
	path := filepath.Join(l.dir, kind+".ndjson")
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, counted := l.manifest.Records[kind]; counted || !optional(kind) {
			l.run.Complete = false
		}
		return
	}
	if err != nil {
		l.err = err
		return
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil { // one piece of the right size, of as many records as the file can hold
		*into = make([]T, 0, min(l.manifest.Records[kind], uint64(info.Size())/shortest))
	}
	whole, err := readLines(f, l.strings, into)
	if err != nil {
		l.err = fmt.Errorf("%s: %w", path, err)
		return
	}
	if !whole || l.manifest.Records[kind] != uint64(len(*into)) {
		l.run.Complete = false
	}
}

// readLines decodes one record per line; whole is false when the last line is cut.
func readLines[T any](r io.Reader, strings pool, into *[]T) (whole bool, err error) {
	br := bufio.NewReaderSize(r, 1<<16)
	for n := 1; ; n++ {
		line, err := br.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return len(line) == 0, nil
		}
		if err != nil {
			return false, err
		}
		var v T
		if err := json.Unmarshal(bytes.TrimSpace(line), &v); err != nil {
			return false, fmt.Errorf("line %d: %w: %w", n, ErrDamaged, err)
		}
		if s, ok := any(&v).(sharer); ok {
			s.share(strings)
		}
		*into = append(*into, v)
	}
}

func readJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w: %w", path, ErrDamaged, err)
	}
	return nil
}
