package check_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
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

// verdictsFile is where a judge leaves a run's judgement.
const verdictsFile = "verdicts.json"

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
	if got := h.check.Judge(opened(t, dir)); got.Status != want.Status || got.Reason != want.Reason {
		t.Errorf("%s: %s; before it was saved, %s: %s", got.Status, got.Reason, want.Status, want.Reason)
	}
}

// opened is a saved run with the faults that were confirmed when it was judged.
func opened(t *testing.T, dir string) *check.Run {
	t.Helper()
	run, err := evidence.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, verdictsFile))
	if err != nil {
		t.Fatal(err)
	}
	var j check.Judgement
	if err := json.Unmarshal(b, &j); err != nil {
		t.Fatal(err)
	}
	return check.NewRun(run, j.Faults, nil)
}

// shortest are the histories with the fewest records for each check and verdict, by the name of the file. One whose verdict rests
// on what a system knows beside its evidence is not saved.
func shortest() map[string]short {
	all := map[string]short{}
	for _, h := range histories() {
		path, s := savedFile(h.check.Name, h.want), short{h, bare(h)}
		if h.check.Judge(s.run).Status != h.want {
			continue
		}
		if other, known := all[path]; !known || size(s.run) < size(other.run) {
			all[path] = s
		}
	}
	return all
}

// short is a history as it is saved.
type short struct {
	told
	run *check.Run
}

// size is the number of records of the kinds that there may be many of.
func size(run *check.Run) int {
	return len(evidence.Requests.Of(run.Run)) + len(evidence.Samples.Of(run.Run))
}

// bare is a history without the last records, of the kinds that there may be many of, on which the verdict does not depend, so
// that what is saved stays short.
func bare(h told) *check.Run {
	whole := h.run()
	want := h.check.Judge(whole)
	requests, samples := slices.Clone(evidence.Requests.Of(whole.Run)), slices.Clone(evidence.Samples.Of(whole.Run))
	made := func() *check.Run {
		run := evidence.New(whole.Plan, evidence.Requests.With(requests...), evidence.Samples.With(samples...), same(evidence.Exits, whole),
			same(evidence.Injections, whole), same(evidence.Observations, whole), same(evidence.Windows, whole), same(evidence.Nodes, whole),
			same(evidence.LogDefects, whole))
		return check.NewRun(run, whole.Faults, nil)
	}
	judgedAlike := func() bool {
		v := h.check.Judge(made())
		return v.Status == want.Status && v.Reason == want.Reason
	}
	shorten(&requests, judgedAlike)
	shorten(&samples, judgedAlike)
	return made()
}

// same are the records of that kind of another run.
func same[T any](kind *evidence.Kind[T], run *check.Run) evidence.Records {
	return kind.With(kind.Of(run.Run)...)
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

// pack puts a saved history into one file, which begins with what is to be seen in it.
func pack(t *testing.T, h short, v check.Verdict) []byte {
	t.Helper()
	dir := t.TempDir()
	save(t, h.run, dir)
	j := check.Judgement{Checks: []check.Verdict{v}, Faults: h.run.Faults}.Conclude()
	if err := evidence.WriteJSON(filepath.Join(dir, verdictsFile), j); err != nil {
		t.Fatal(err)
	}
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
func save(t testing.TB, run *check.Run, dir string) {
	t.Helper()
	r, err := evidence.NewRecorder(dir, run.Plan.Epoch)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.WritePlan(run.Plan); err != nil {
		t.Fatal(err)
	}
	record(r, evidence.Requests, run)
	record(r, evidence.Samples, run)
	record(r, evidence.Exits, run)
	record(r, evidence.Injections, run)
	record(r, evidence.Observations, run)
	record(r, evidence.Windows, run)
	record(r, evidence.Nodes, run)
	record(r, evidence.LogDefects, run)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

func record[T any](r *evidence.Recorder, kind *evidence.Kind[T], run *check.Run) {
	for _, v := range kind.Of(run.Run) {
		kind.Put(r, v)
	}
}
