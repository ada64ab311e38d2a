package corrupt_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/corrupt"
	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// note is a record of a kind that only some system has.
type note struct {
	At     time.Duration      `json:"at_ns"`
	Who    string             `json:"who"`
	Text   string             `json:"text,omitempty"`
	Done   bool               `json:"done,omitempty"`
	Values map[string]float64 `json:"values,omitempty"`
	Open   []string           `json:"open,omitempty"` // always empty here
}

var notes = evidence.NewKind("notes", func(a, b *note) int { return cmp.Compare(a.At, b.At) })

// saved is the folder of a run with 30 notes and an exit.
func saved(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	rec, err := evidence.NewRecorder(dir, time.Unix(1_700_000_000, 0))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		n := note{At: time.Duration(i) * time.Minute, Who: []string{"ann", "bob"}[i%2]}
		if i == 7 {
			n.Values = map[string]float64{"x": 1}
		}
		notes.Put(rec, n)
	}
	evidence.Exits.Put(rec, evidence.Exit{Node: "web-1", At: time.Second})
	if err := errors.Join(rec.WritePlan(evidence.Plan{}), rec.Close()); err != nil {
		t.Fatal(err)
	}
	return dir
}

func opened(t *testing.T, dir string) *evidence.Run {
	t.Helper()
	run, err := evidence.Open(dir)
	if err != nil || !run.Complete {
		t.Fatalf("complete %t, %v", run.Complete, err)
	}
	return run
}

// Judges of notes.
func blind(*evidence.Run) string { return "" }

func counts(run *evidence.Run) string {
	if n := len(notes.Of(run)); n != 30 {
		return fmt.Sprintf("%d notes", n)
	}
	return ""
}

func reads(run *evidence.Run) string {
	for i, n := range notes.Each(run) {
		if n.At != time.Duration(i)*time.Minute || n.Who != []string{"ann", "bob"}[i%2] || n.Text != "" || n.Done || i == 7 && n.Values["x"] != 1 {
			return fmt.Sprintf("note %d", i)
		}
	}
	return counts(run)
}

// becomes is a result in short: tried, noticed, exempt.
type becomes [3]int

// TestTry: what checks notice is told apart from what they do not, for kinds and fields that nobody has told of.
func TestTry(t *testing.T) {
	ofAnn := corrupt.When(func(_ *evidence.Run, n note) bool { return n.Who == "ann" })
	never := corrupt.When(func(run *evidence.Run, _ note) bool { return len(evidence.Exits.Of(run)) > 1 })
	for _, c := range []struct {
		name   string
		judge  corrupt.Judge
		exempt []corrupt.Exemption
		want   map[string]becomes // by what is done to notes
	}{
		{"nobody looks", blind, nil, map[string]becomes{corrupt.Deleted: {20, 0, 0}, corrupt.Doubled: {20, 0, 0}, "at_ns": {5, 0, 0}, "who": {5, 0, 0},
			"values": {1, 0, 0}}},
		{"somebody counts", counts, nil, map[string]becomes{corrupt.Deleted: {20, 20, 0}, corrupt.Doubled: {20, 20, 0}, "at_ns": {5, 0, 0}, "who": {5, 0, 0},
			"text": {5, 0, 0}, "done": {5, 0, 0}, "values": {1, 0, 0}}},
		{"somebody reads", reads, nil, map[string]becomes{corrupt.Deleted: {20, 20, 0}, corrupt.Doubled: {20, 20, 0}, "at_ns": {5, 5, 0}, "who": {5, 5, 0},
			"text": {5, 5, 0}, "done": {5, 5, 0}, "values": {1, 1, 0}}},
		{"somebody counts, and nobody need read", counts, []corrupt.Exemption{
			{Kind: "others", What: []string{"at_ns"}, Why: "of another kind"},
			{Kind: "notes", What: []string{"at_ns", "who", "text", "done", "values"}, Why: "for people"},
		}, map[string]becomes{corrupt.Deleted: {20, 20, 0}, corrupt.Doubled: {20, 20, 0}, "at_ns": {0, 0, 5}, "who": {0, 0, 5}, "text": {0, 0, 5},
			"done": {0, 0, 5}, "values": {0, 0, 1}}},
		{"nobody need look at some", blind, []corrupt.Exemption{
			{Kind: "notes", What: []string{"values"}, Why: "ann's", If: ofAnn},
			{Kind: "notes", What: []string{"who"}, Why: "never so", If: never},
		}, map[string]becomes{corrupt.Deleted: {20, 0, 0}, corrupt.Doubled: {20, 0, 0}, "at_ns": {5, 0, 0}, "who": {5, 0, 0}, "values": {1, 0, 0}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := map[string]becomes{}
			for r, err := range corrupt.Try(opened(t, saved(t)), c.judge, c.exempt, 1) {
				if err != nil {
					t.Fatal(err)
				}
				if (r.Example == "") != (r.Missed() == 0) || (len(r.Why) == 0) != (r.Exempt == 0) {
					t.Errorf("%+v", r)
				}
				if r.Kind == notes.Name() {
					got[r.What] = becomes{r.Tried, r.Noticed, r.Exempt}
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("got  %v\nwant %v", got, c.want)
			}
		})
	}
}

// TestSomeAreExempt: an exemption of some records leaves the others to be tried.
func TestSomeAreExempt(t *testing.T) {
	ofAnn := corrupt.Exemption{Kind: "notes", What: []string{corrupt.Deleted}, Why: "ann's",
		If: corrupt.When(func(_ *evidence.Run, n note) bool { return n.Who == "ann" })}
	for r, err := range corrupt.Try(opened(t, saved(t)), blind, []corrupt.Exemption{ofAnn}, 1) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Kind == notes.Name() && r.What == corrupt.Deleted && (r.Tried == 0 || r.Exempt == 0 || r.Tried+r.Exempt != 20 || !slices.Equal(r.Why, []string{"ann's"})) {
			t.Errorf("%+v", r)
		}
	}
}

// TestSeeds: the same seed spoils the same records in the same way, and others others; the files stay as they are.
func TestSeeds(t *testing.T) {
	dir := saved(t)
	examples := func(seed uint64) (all []string) {
		for r, err := range corrupt.Try(opened(t, dir), blind, nil, seed) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, r.Example)
		}
		return all
	}
	before := contents(t, dir)
	if one, same := examples(1), examples(1); !slices.Equal(one, same) {
		t.Errorf("%q\n%q", one, same)
	}
	if one, other := examples(1), examples(2); slices.Equal(one, other) {
		t.Errorf("two seeds: %q", one)
	}
	if !bytes.Equal(contents(t, dir), before) {
		t.Error("files were changed")
	}
}

// contents are the names and contents of all files of a run.
func contents(t *testing.T, dir string) (all []byte) {
	t.Helper()
	for _, pattern := range []string{"*", "*/*"} {
		paths, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			b, _ := os.ReadFile(path) // of a folder, nothing
			all = append(append(all, path...), b...)
		}
	}
	return all
}

// TestObjectionToTheRunItself: then nothing is tried.
func TestObjectionToTheRunItself(t *testing.T) {
	asked, results := 0, 0
	judge := func(*evidence.Run) string { asked++; return "no" }
	for _, err := range corrupt.Try(opened(t, saved(t)), judge, nil, 1) {
		if results++; !errors.Is(err, corrupt.ErrObjection) {
			t.Error(err)
		}
	}
	if asked != 1 || results != 1 {
		t.Errorf("asked %d times, %d results", asked, results)
	}
}

// TestLinesThatAreNoRecords of a kind that nobody reads can be deleted and doubled.
func TestLinesThatAreNoRecords(t *testing.T) {
	dir := saved(t)
	if err := os.WriteFile(filepath.Join(dir, evidence.Dir, "odd.ndjson"), []byte("nonsense\n[1]\n{\"a\":null}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	run, err := evidence.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for r, err := range corrupt.Try(run, blind, nil, 1) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Kind == "odd" {
			got = append(got, fmt.Sprint(r.What, r.Tried))
		}
	}
	if want := []string{"(deleted)3", "(doubled)3"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
