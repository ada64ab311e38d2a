package evidence

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Format is the version of the layout on disk that this package writes and reads.
const Format = 1

// flushEvery bounds what a killed harness can lose.
const flushEvery = 500 * time.Millisecond

const (
	planFile     = "plan.json"
	evidenceDir  = "evidence"
	manifestFile = "manifest.json"
)

// The kinds of records; each is evidence/<kind>.ndjson.
const (
	kindCalls        = "calls"
	kindUpstream     = "upstream"
	kindHops         = "hops"
	kindRows         = "rows"
	kindSamples      = "samples"
	kindExits        = "exits"
	kindInjections   = "injections"
	kindObservations = "observations"
	kindWindows      = "windows"
	kindNodes        = "nodes"
	kindLeases       = "leases"
	kindLogLines     = "loglines"
)

func kinds() []string {
	return []string{kindCalls, kindUpstream, kindHops, kindRows, kindSamples, kindExits, kindInjections,
		kindObservations, kindWindows, kindNodes, kindLeases, kindLogLines}
}

// manifest closes the evidence: without it the run was cut short.
type manifest struct {
	Format  int               `json:"format"`
	Records map[string]uint64 `json:"records"`
}

// Recorder streams records to disk while the run goes on. It is safe for concurrent use. The first error is kept and
// returned by Close; recording goes on without failing its callers.
type Recorder struct {
	dir   string
	epoch time.Time
	files map[string]*stream
	stop  chan struct{}
	done  chan struct{}
}

// NewRecorder writes into dir, which must not yet hold evidence; epoch is what Since measures from.
func NewRecorder(dir string, epoch time.Time) (*Recorder, error) {
	ev := filepath.Join(dir, evidenceDir)
	if err := os.MkdirAll(ev, 0o755); err != nil {
		return nil, fmt.Errorf("create evidence folder: %w", err)
	}
	r := &Recorder{dir: dir, epoch: epoch, files: map[string]*stream{}, stop: make(chan struct{}), done: make(chan struct{})}
	for _, k := range kinds() {
		f, err := os.OpenFile(filepath.Join(ev, k+".ndjson"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("create evidence file: %w", err), r.closeFiles())
		}
		r.files[k] = newStream(f)
	}
	go r.flushLoop()
	return r, nil
}

// Since gives the offset of t from the epoch.
func (r *Recorder) Since(t time.Time) time.Duration { return t.Sub(r.epoch) }

// Now gives the offset of the present moment from the epoch.
func (r *Recorder) Now() time.Duration { return r.Since(time.Now()) }

// Epoch is the moment that every offset counts from.
func (r *Recorder) Epoch() time.Time { return r.epoch }

// Call records a planned request.
func (r *Recorder) Call(c Call) { r.files[kindCalls].put(c) }

// Upstream records a call in the upstream's ledger.
func (r *Recorder) Upstream(u Upstream) { r.files[kindUpstream].put(u) }

// Hop records a line of the load balancer's log.
func (r *Recorder) Hop(h Hop) { r.files[kindHops].put(h) }

// Row records a row of the service's ledger.
func (r *Recorder) Row(w Row) { r.files[kindRows].put(w) }

// Sample records a scrape.
func (r *Recorder) Sample(s Sample) { r.files[kindSamples].put(s) }

// Exit records the end of a process.
func (r *Recorder) Exit(e Exit) { r.files[kindExits].put(e) }

// Injection records a fault, once, when its heal is done.
func (r *Recorder) Injection(i Injection) { r.files[kindInjections].put(i) }

// Observation records what an independent observer saw.
func (r *Recorder) Observation(o Observation) { r.files[kindObservations].put(o) }

// Window records a phase of the run.
func (r *Recorder) Window(w Window) { r.files[kindWindows].put(w) }

// Node records a member of the system under test.
func (r *Recorder) Node(n Node) { r.files[kindNodes].put(n) }

// Lease records a lock or claim that was left at rest.
func (r *Recorder) Lease(l Lease) { r.files[kindLeases].put(l) }

// LogLine records a defect that a node reported in its log.
func (r *Recorder) LogLine(l LogLine) { r.files[kindLogLines].put(l) }

// WritePlan writes plan.json; it may be written again as more becomes known.
func (r *Recorder) WritePlan(p Plan) error {
	p.Format, p.Epoch = Format, r.epoch
	return WriteJSON(filepath.Join(r.dir, planFile), p)
}

// Close flushes everything and writes the manifest, which marks the evidence complete. Nothing is recorded any more.
func (r *Recorder) Close() error {
	close(r.stop)
	<-r.done
	if err := r.closeFiles(); err != nil {
		return err
	}
	m := manifest{Format: Format, Records: map[string]uint64{}}
	for k, s := range r.files {
		m.Records[k] = s.n
	}
	return WriteJSON(filepath.Join(r.dir, evidenceDir, manifestFile), m)
}

func (r *Recorder) closeFiles() error {
	var errs []error
	for _, s := range r.files {
		errs = append(errs, s.close())
	}
	return errors.Join(errs...)
}

func (r *Recorder) flushLoop() {
	defer close(r.done)
	t := time.NewTicker(flushEvery)
	defer t.Stop()
	for {
		select {
		case <-r.stop:
			return
		case <-t.C:
			for _, s := range r.files {
				s.flush()
			}
		}
	}
}

// errClosed is what a closed stream refuses records with.
var errClosed = errors.New("evidence is closed")

// stream is one NDJSON file.
type stream struct {
	mu  sync.Mutex
	f   *os.File
	buf *bufio.Writer
	enc *json.Encoder
	n   uint64
	err error
}

func newStream(f *os.File) *stream {
	buf := bufio.NewWriterSize(f, 1<<16)
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	return &stream{f: f, buf: buf, enc: enc}
}

func (s *stream) put(v any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return
	}
	if s.err = s.enc.Encode(v); s.err == nil {
		s.n++
	}
}

func (s *stream) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = s.buf.Flush()
	}
}

func (s *stream) close() error {
	s.flush()
	s.mu.Lock()
	defer s.mu.Unlock()
	err := errors.Join(s.err, s.f.Close())
	s.err = errClosed
	if err != nil {
		return fmt.Errorf("write %s: %w", s.f.Name(), err)
	}
	return nil
}

// WriteJSON writes v, indented, to path in one step: a reader sees the old file or the new one, never half of it.
func WriteJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", filepath.Base(path), err)
	}
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, append(b, '\n'), fs.FileMode(0o644)); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}
