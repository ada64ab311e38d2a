package evidence

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Format is the version of the layout on disk that this package writes and reads.
const Format = 2

// flushEvery bounds what a killed harness can lose.
const flushEvery = 500 * time.Millisecond

const (
	manifestFile = "manifest.json"
	suffix       = ".ndjson"
)

// manifest closes the evidence: without it the run was cut short.
type manifest struct {
	Format  int               `json:"format"`
	Records map[string]uint64 `json:"records"` // by kind; a kind that is not there has no records
}

// Recorder streams records to disk while the run goes on: see Kind.Put. It is safe for concurrent use. The first error is kept
// and returned by Close; recording goes on without failing its callers.
type Recorder struct {
	dir   string
	epoch time.Time
	stop  chan struct{}
	done  chan struct{}

	secrets secrets

	mu     sync.Mutex
	files  map[string]*stream // by kind
	closed bool
	err    error // of a file that could not be created
}

// NewRecorder writes into dir, which must not yet hold evidence; epoch is what Since measures from.
func NewRecorder(dir string, epoch time.Time) (*Recorder, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("create folder of the run: %w", err)
	}
	if err := os.Mkdir(filepath.Join(dir, Dir), 0o755); err != nil {
		return nil, fmt.Errorf("create evidence folder: %w", err)
	}
	r := &Recorder{dir: dir, epoch: epoch, files: map[string]*stream{}, stop: make(chan struct{}), done: make(chan struct{})}
	go r.flushLoop()
	return r, nil
}

// put writes v to the file of its kind, which it creates for the first one, without the secrets in it.
func (r *Recorder) put(kind string, v any) {
	s := r.stream(kind)
	if s == nil {
		return
	}
	line, err := encode(v)
	if kind != Leaks.Name() { // which names secrets, and says nothing of their values
		line = r.Inspect(LeakRecords, kind, line)
	}
	s.put(line, err)
}

// encode makes a line of JSON.
func encode(v any) ([]byte, error) {
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return line.Bytes(), err
}

// stream is nil when nothing is recorded any more, or the file cannot be created.
func (r *Recorder) stream(kind string) *stream {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.files[kind]
	if s != nil || r.closed || r.err != nil {
		return s
	}
	f, err := os.OpenFile(filepath.Join(r.dir, Dir, kind+suffix), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		r.err = fmt.Errorf("create evidence file: %w", err)
		return nil
	}
	s = newStream(f)
	r.files[kind] = s
	return s
}

// streams are those of all kinds of which there are records so far.
func (r *Recorder) streams() []*stream {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Values(r.files))
}

// Since gives the offset of t from the epoch.
func (r *Recorder) Since(t time.Time) time.Duration { return t.Sub(r.epoch) }

// Now gives the offset of the present moment from the epoch.
func (r *Recorder) Now() time.Duration { return r.Since(time.Now()) }

// Epoch is the moment that every offset counts from.
func (r *Recorder) Epoch() time.Time { return r.epoch }

// WritePlan writes plan.json; it may be written again as more becomes known.
func (r *Recorder) WritePlan(p Plan) error {
	p.Format, p.Epoch = Format, r.epoch
	return WriteJSON(filepath.Join(r.dir, PlanFile), p)
}

// Close flushes everything and writes the manifest, which marks the evidence complete. Nothing is recorded any more.
func (r *Recorder) Close() error {
	close(r.stop)
	<-r.done
	r.mu.Lock()
	r.closed = true
	errs := []error{r.err}
	r.mu.Unlock()
	m := manifest{Format: Format, Records: map[string]uint64{}}
	for kind, s := range r.files { // no longer added to
		errs = append(errs, s.close())
		m.Records[kind] = s.n
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return WriteJSON(filepath.Join(r.dir, Dir, manifestFile), m)
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
			for _, s := range r.streams() {
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
	n   uint64
	err error
}

func newStream(f *os.File) *stream {
	return &stream{f: f, buf: bufio.NewWriterSize(f, 1<<16)}
}

// put writes a line, unless it could not be made.
func (s *stream) put(line []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return
	}
	if s.err = err; s.err == nil {
		_, s.err = s.buf.Write(line)
	}
	if s.err == nil {
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
