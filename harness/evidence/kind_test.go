package evidence_test

import (
	"cmp"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// kind is one kind of record, whatever its type.
type kind struct {
	name   string
	record reflect.Type
	put    func(*evidence.Recorder) // a record with every field set
	of     func(*evidence.Run) any  // a slice of them
	filled any                      // that one record, in such a slice
}

func kindOf[T any](k *evidence.Kind[T]) kind {
	var v T
	fill(reflect.ValueOf(&v).Elem())
	return kind{name: k.Name(), record: reflect.TypeFor[T](), filled: []T{v},
		put: func(r *evidence.Recorder) { k.Put(r, v) },
		of:  func(run *evidence.Run) any { return k.Of(run) }}
}

// kinds are those that every run has.
func kinds() []kind {
	return []kind{kindOf(evidence.Requests), kindOf(evidence.Warmup), kindOf(evidence.Samples), kindOf(evidence.Exits), kindOf(evidence.Injections),
		kindOf(evidence.Observations), kindOf(evidence.Windows), kindOf(evidence.Nodes), kindOf(evidence.LogDefects), kindOf(evidence.Clocks), kindOf(evidence.Leaks), kindOf(evidence.Accounts), kindOf(evidence.CPUUses)}
}

// TestKinds: no kind of the package is missing in these tests.
func TestKinds(t *testing.T) {
	source, err := os.ReadFile("record.go")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), "= NewKind("); n != len(kinds()) {
		t.Errorf("record.go declares %d kinds, and %d are tested", n, len(kinds()))
	}
}

func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.String:
		v.SetString("<a&b>\n\"ü\"")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(0.1)
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]float64{`x{l="1"}`: -2.5}))
	case reflect.Uint64:
		v.SetUint(1<<53 - 1)
	default:
		v.SetInt(1<<53 - 1) // the largest integer that a double holds with all below it
	}
}

// note is a record of a kind that a system adds.
type note struct {
	At   time.Duration `json:"at_ns"`
	Text string        `json:"text"`
}

var notes = evidence.NewKind("notes", func(a, b *note) int { return cmp.Compare(a.At, b.At) })

// TestASystemAddsAKind, in one declaration.
func TestASystemAddsAKind(t *testing.T) {
	dir := t.TempDir()
	rec := recorder(t, dir)
	notes.Put(rec, note{2, "b"})
	notes.Put(rec, note{1, "a"})
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	run := open(t, dir)
	if got := notes.Of(run); !slices.Equal(got, []note{{1, "a"}, {2, "b"}}) || !run.Complete || run.Err() != nil {
		t.Errorf("%v, complete %t, %v", got, run.Complete, run.Err())
	}
	if got := evidence.Exits.Of(run); len(got) != 0 || run.Err() != nil {
		t.Errorf("%v of a kind that was not recorded: %v", got, run.Err())
	}
}

// TestWithoutARecorder, as in a warm-up, nothing is recorded and nothing fails.
func TestWithoutARecorder(*testing.T) { notes.Put(nil, note{}) }

// TestBuiltByHand: records are in their order, whatever the order and the pieces in which they were given.
func TestBuiltByHand(t *testing.T) {
	given := []note{{5, "c"}, {3, "a"}}
	run := evidence.New(evidence.Plan{}, notes.With(given...), notes.With(note{4, "b"}, note{3, "a too"}))
	want := []note{{3, "a"}, {3, "a too"}, {4, "b"}, {5, "c"}}
	if got := notes.Of(run); !slices.Equal(got, want) || !run.Complete {
		t.Errorf("%v, complete %t", got, run.Complete)
	}
	if given[0].At != 5 {
		t.Error("the caller's records were sorted")
	}
	var each []note
	for i, n := range notes.Each(run) {
		if n != &notes.Of(run)[i] {
			t.Errorf("record %d is not the one at its place", i)
		}
		if each = append(each, *n); i == 2 {
			break
		}
	}
	if !slices.Equal(each, want[:3]) {
		t.Errorf("%v", each)
	}
}

// TestCommonStringsAreKeptOnce: a million requests share the names that they have in common.
func TestCommonStringsAreKeptOnce(t *testing.T) {
	dir := t.TempDir()
	rec := recorder(t, dir)
	for i := range uint64(2) {
		evidence.Requests.Put(rec, evidence.Request{Seq: i, Stage: "steady", Class: "quick", User: "ann", Key: "k", Outcome: evidence.OK})
	}
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	requests := evidence.Requests.Of(open(t, dir))
	if len(requests) != 2 {
		t.Fatalf("%v", requests)
	}
	for name, of := range map[string]func(*evidence.Request) string{
		"stage": func(q *evidence.Request) string { return q.Stage }, "class": func(q *evidence.Request) string { return q.Class },
		"user": func(q *evidence.Request) string { return q.User }, "key": func(q *evidence.Request) string { return q.Key },
		"outcome": func(q *evidence.Request) string { return string(q.Outcome) },
	} {
		if unsafe.StringData(of(&requests[0])) != unsafe.StringData(of(&requests[1])) {
			t.Errorf("two copies of one %s", name)
		}
	}
}

// TestDamageIsFoundWhenItIsRead, and names the file and the line, so that somebody can mend it by hand.
func TestDamageIsFoundWhenItIsRead(t *testing.T) {
	dir := saved(t)
	path := filepath.Join(dir, "evidence", "exits.ndjson")
	if err := edit(path, func(s string) string { return s[:strings.Index(s, "\n")+1] + "{\n" }); err != nil {
		t.Fatal(err)
	}
	run := open(t, dir)
	if n := len(evidence.Requests.Of(run)); n != 2 || run.Err() != nil {
		t.Errorf("%d requests: %v", n, run.Err())
	}
	if got := evidence.Exits.Of(run); len(got) != 0 {
		t.Errorf("%v of a damaged file", got)
	}
	if err := run.Err(); err == nil || !strings.Contains(err.Error(), "exits.ndjson: line 2") {
		t.Errorf("%v", err)
	}
}
