package checktest

import (
	"bytes"
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

// folder has one file for each check and each verdict that it may come to.
const folder = "testdata/histories"

func fileOf(name string, s check.Status) string {
	return filepath.Join(folder, name, s.String()+".txtar")
}

// Saved: for every check there is evidence, as a run leaves it on disk, on which it passes, fails and is Unknown. It is unpacked,
// opened and judged as that of any saved run. The histories say what it is.
func (s Suite) Saved(t *testing.T) {
	all := s.shortest()
	for _, name := range s.checks(t) {
		for _, status := range []check.Status{check.Pass, check.Fail, check.Unknown} {
			h, ok := all[fileOf(name, status)]
			switch {
			case ok:
				t.Run(name+"/"+status.String(), func(t *testing.T) { s.saved(t, h) })
			case status != check.Fail || s.NeverFail[name] == "":
				t.Errorf("there is no history on which %s is %s", name, status)
			}
		}
	}
	for _, path := range filesIn(t, folder) {
		if _, ok := all[path]; !ok {
			t.Errorf("%s is of no history of this package", path)
		}
	}
}

func (s Suite) saved(t *testing.T, h short) {
	want, path := h.Check.Judge(h.run), fileOf(h.Check.Name, h.Want)
	packed := s.pack(t, h, want)
	if s.Update {
		write(t, path, packed)
	}
	saved, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; go test -update writes it", err)
	}
	if !bytes.Equal(saved, packed) {
		t.Errorf("%s is not the history %q of this package; go test -update writes it anew", path, h.Name)
	}
	dir := t.TempDir()
	if err := txtar.Write(txtar.Parse(saved), dir); err != nil {
		t.Fatal(err)
	}
	if got := h.Check.Judge(s.open(t, dir)); got.Status != want.Status || got.Reason != want.Reason {
		t.Errorf("%s: %s; before it was saved, %s: %s", got.Status, got.Reason, want.Status, want.Reason)
	}
}

// open opens a saved run. Where the faults are not confirmed anew, they are as they were when it was judged.
func (s Suite) open(t *testing.T, dir string) *check.Run {
	t.Helper()
	run, err := evidence.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if s.Judged != nil {
		return s.Judged(run, nil)
	}
	var j check.Judgement
	if err := evidence.ReadJSON(filepath.Join(dir, evidence.VerdictsFile), &j); err != nil {
		t.Fatal(err)
	}
	return check.NewRun(run, j.Faults, nil)
}

// short is a history as it is saved.
type short struct {
	History
	run *check.Run
}

// shortest are the histories with the fewest records for each check and verdict, by the name of the file. One whose verdict rests
// on what a system knows beside its evidence is not saved.
func (s Suite) shortest() map[string]short {
	all, size := map[string]short{}, map[string]int{}
	for _, h := range s.Histories {
		path := fileOf(h.Check.Name, h.Want)
		run, n := s.bare(h)
		if h.Check.Judge(run).Status != h.Want {
			continue
		}
		if least, known := size[path]; !known || n < least {
			all[path], size[path] = short{h, run}, n
		}
	}
	return all
}

// bare is a history without the last records, of the kinds that there may be many of, on which the verdict does not depend, so
// that what is saved stays short. It returns how many of these are left.
func (s Suite) bare(h History) (run *check.Run, many int) {
	whole, kinds := h.Run(), s.kinds()
	want := h.Check.Judge(whole)
	n := make([]int, len(kinds))
	for i, k := range kinds {
		n[i] = k.size(whole.Run)
	}
	made := func() *check.Run {
		records := make([]evidence.Records, len(kinds))
		for i, k := range kinds {
			records[i] = k.first(whole.Run, n[i])
		}
		run := evidence.New(whole.Plan, records...)
		if s.Judged != nil {
			return s.Judged(run, whole.Faults)
		}
		return check.NewRun(run, whole.Faults, nil)
	}
	for i, k := range kinds {
		if k.many {
			n[i] = fewest(n[i], func(fewer int) bool {
				before := n[i]
				n[i] = fewer
				v := h.Check.Judge(made())
				n[i] = before
				return v.Status == want.Status && v.Reason == want.Reason
			})
			many += n[i]
		}
	}
	return made(), many
}

// fewest leaves out all of n, or else the last half, quarter, eighth of them and so on, if all is the same with that many.
func fewest(n int, same func(int) bool) int {
	for step := n; step > 0; step /= 2 {
		if step <= n && same(n-step) {
			n -= step
		}
	}
	return n
}

// pack puts a saved history into one file, which begins with what is to be seen in it.
func (s Suite) pack(t *testing.T, h short, v check.Verdict) []byte {
	t.Helper()
	dir := t.TempDir()
	if err := s.Save(h.run.Run, dir); err != nil {
		t.Fatal(err)
	}
	if s.Judged == nil {
		j := check.Judgement{Checks: []check.Verdict{v}, Faults: h.run.Faults}.Conclude()
		if err := evidence.WriteJSON(filepath.Join(dir, evidence.VerdictsFile), j); err != nil {
			t.Fatal(err)
		}
	}
	a := &txtar.Archive{Comment: fmt.Appendf(nil, "%s\n%s\n%s: %s\n\n", v.Check, h.Name, v.Status, v.Reason)}
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
