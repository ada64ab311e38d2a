package check_test

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/sentinel-chaos/sentinel/harness/check"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

var update = flag.Bool("update", false, "write the histories of testdata anew")

// savedHistories has one file for each check and each verdict that it may come to.
const savedHistories = "testdata/histories"

func savedFile(name string, s check.Status) string {
	return filepath.Join(savedHistories, name, s.String()+".txtar")
}

// TestSavedHistories: for every check there is evidence, as a run leaves it on disk, on which it passes, fails and is Unknown.
// It is unpacked, opened and judged as that of any saved run. The tables of this package say what it is.
func TestSavedHistories(t *testing.T) {
	all := shortest()
	for _, name := range exportedChecks(t) {
		for _, s := range []check.Status{check.Pass, check.Fail, check.Unknown} {
			h, ok := all[savedFile(name, s)]
			switch {
			case ok:
				t.Run(name+"/"+s.String(), func(t *testing.T) { testSaved(t, h) })
			case s != check.Fail || neverFail[name] == "":
				t.Errorf("there is no history on which %s is %s", name, s)
			}
		}
	}
	for _, path := range filesIn(t, savedHistories) {
		if _, ok := all[path]; !ok {
			t.Errorf("%s is of no history of this package", path)
		}
	}
}

func testSaved(t *testing.T, h short) {
	want, path := h.check.Judge(h.run), savedFile(h.check.Name, h.want)
	packed := pack(t, h, want)
	if *update {
		write(t, path, packed)
	}
	saved, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; go test -update writes it", err)
	}
	if !bytes.Equal(saved, packed) {
		t.Errorf("%s is not the history %q of this package; go test -update writes it anew", path, h.name)
	}
	dir := t.TempDir()
	if err := txtar.Write(txtar.Parse(saved), dir); err != nil {
		t.Fatal(err)
	}
	run, err := evidence.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := h.check.Judge(run); got.Status != want.Status || got.Reason != want.Reason {
		t.Errorf("%s: %s; before it was saved, %s: %s", got.Status, got.Reason, want.Status, want.Reason)
	}
}

// shortest are the histories with the fewest records for each check and verdict, by the name of the file.
func shortest() map[string]short {
	all := map[string]short{}
	for _, h := range histories() {
		path, s := savedFile(h.check.Name, h.want), short{h, bare(h)}
		if other, known := all[path]; !known || size(s.run) < size(other.run) {
			all[path] = s
		}
	}
	return all
}

// short is a history as it is saved.
type short struct {
	told
	run *evidence.Run
}

// size is the number of records of the kinds that there may be many of.
func size(run *evidence.Run) int {
	return length(run.Calls()) + length(run.Upstream()) + length(run.Hops()) + length(run.Rows()) + length(run.Samples())
}

func length[T any](records iter.Seq[T]) (n int) {
	for range records {
		n++
	}
	return n
}

// bare is a history without the last records, of the kinds that there may be many of, on which the verdict does not depend, so
// that what is saved stays short.
func bare(h told) *evidence.Run {
	run := h.run()
	want, kept := h.check.Judge(run), records(run)
	same := func() bool {
		v := h.check.Judge(evidence.New(run.Plan, kept))
		return v.Status == want.Status && v.Reason == want.Reason
	}
	shorten(&kept.Calls, same)
	shorten(&kept.Upstream, same)
	shorten(&kept.Hops, same)
	shorten(&kept.Rows, same)
	shorten(&kept.Samples, same)
	return evidence.New(run.Plan, kept)
}

// shorten leaves out all records, or else the last half, quarter, eighth of them and so on, if all is the same without them.
func shorten[T any](records *[]T, same func() bool) {
	for n := len(*records); n > 0; n /= 2 {
		whole := *records
		if n > len(whole) {
			continue
		}
		*records = whole[:len(whole)-n]
		if !same() {
			*records = whole
		}
	}
}

func records(run *evidence.Run) evidence.Records {
	return evidence.Records{Calls: slices.Collect(run.Calls()), Upstream: slices.Collect(run.Upstream()),
		Hops: slices.Collect(run.Hops()), Rows: slices.Collect(run.Rows()), Samples: slices.Collect(run.Samples()), Exits: slices.Collect(run.Exits()),
		Injections: slices.Collect(run.Injections()), Observations: slices.Collect(run.Observations()), Windows: slices.Collect(run.Windows()),
		Nodes: slices.Collect(run.Nodes()), Leases: slices.Collect(run.Leases()), LogLines: slices.Collect(run.LogLines())}
}

// pack puts a saved history into one file, which begins with what is to be seen in it.
func pack(t *testing.T, h short, v check.Verdict) []byte {
	t.Helper()
	dir := t.TempDir()
	save(t, h.run, dir)
	a := &txtar.Archive{Comment: fmt.Appendf(nil, "%s\n%s\n%s: %s\n\n", v.Check, h.name, v.Status, v.Reason)}
	for _, path := range filesIn(t, dir) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			t.Fatal(err)
		}
		a.Files = append(a.Files, txtar.File{Name: filepath.ToSlash(name), Data: data})
	}
	return txtar.Format(a)
}

func filesIn(t *testing.T, dir string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(paths)
	return paths
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// save leaves a run on disk as a harness does.
func save(t testing.TB, run *evidence.Run, dir string) {
	t.Helper()
	r, err := evidence.NewRecorder(dir, run.Plan.Epoch)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.WritePlan(run.Plan); err != nil {
		t.Fatal(err)
	}
	record(run.Calls(), r.Call)
	record(run.Upstream(), r.Upstream)
	record(run.Hops(), r.Hop)
	record(run.Rows(), r.Row)
	record(run.Samples(), r.Sample)
	record(run.Exits(), r.Exit)
	record(run.Injections(), r.Injection)
	record(run.Observations(), r.Observation)
	record(run.Windows(), r.Window)
	record(run.Nodes(), r.Node)
	record(run.Leases(), r.Lease)
	record(run.LogLines(), r.LogLine)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

func record[T any](records iter.Seq[T], put func(T)) {
	for r := range records {
		put(r)
	}
}
