package evidence

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// alteration is by what a run differs from another one.
type alteration struct {
	of    *Run
	kind  string
	lines []byte // of that kind's file
}

// Altered is the run with other records of one kind: those in lines, which are written as in a file of the kind. All others are
// shared with r, which stays as it is. What Derive makes is made anew.
func (r *Run) Altered(kind string, lines []byte) *Run {
	return &Run{Plan: r.Plan, Complete: r.Complete, strings: map[string]string{}, altered: &alteration{r, kind, lines}}
}

// open opens the file of a kind: fs.ErrNotExist if there is none, as in a run that was built by hand. An altered run has only that
// of its own kind.
func (r *Run) open(kind string) (io.ReadCloser, error) {
	switch {
	case r.altered != nil:
		return io.NopCloser(bytes.NewReader(r.altered.lines)), nil
	case r.dir == "":
		return nil, fs.ErrNotExist
	}
	return os.Open(r.path(kind))
}

func (r *Run) path(kind string) string { return filepath.Join(r.dir, kind+suffix) }

// Written are the names of the kinds of which a saved run has records, sorted, whoever declared them.
func (r *Run) Written() (kinds []string, err error) {
	files, err := kindFiles(r.dir)
	for _, name := range files {
		kinds = append(kinds, strings.TrimSuffix(name, suffix))
	}
	slices.Sort(kinds)
	return kinds, err
}

// kindFiles are the names of the files with records.
func kindFiles(dir string) ([]string, error) {
	files, err := fs.Glob(os.DirFS(dir), "*"+suffix)
	if err != nil {
		return nil, fmt.Errorf("list evidence: %w", err)
	}
	return files, nil
}

// Lines are the records of a kind as a saved run has them on disk: one a line, each with its end.
func (r *Run) Lines(kind string) ([][]byte, error) {
	b, err := os.ReadFile(r.path(kind))
	return slices.Collect(bytes.Lines(b)), err
}

// Fields are those of the records of a kind, by name: what is written where a record leaves the field out. They are known of the
// kinds that were read so far; of others there are none.
func (r *Run) Fields(kind string) (fields map[string]json.RawMessage) {
	r.kept.Range(func(key, _ any) bool {
		if k, ok := key.(interface {
			Name() string
			Fields() map[string]json.RawMessage
		}); ok && k.Name() == kind {
			fields = k.Fields()
		}
		return fields == nil
	})
	return fields
}

// Fields are those of the kind's records, by name, with their zero values as they are written.
func (k *Kind[T]) Fields() map[string]json.RawMessage {
	record := reflect.TypeFor[T]()
	if record.Kind() != reflect.Struct {
		return nil
	}
	fields := map[string]json.RawMessage{}
	for _, f := range reflect.VisibleFields(record) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		zero, err := json.Marshal(reflect.Zero(f.Type).Interface())
		if f.IsExported() && !f.Anonymous && name != "-" && err == nil {
			fields[cmp.Or(name, f.Name)] = zero
		}
	}
	return fields
}
