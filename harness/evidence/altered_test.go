package evidence_test

import (
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// TestAltered: a copy has other records of one kind, and all else in common with its run, which stays as it is.
func TestAltered(t *testing.T) {
	run := open(t, saved(t))
	exits := evidence.Exits.Of(run)
	lines, err := run.Lines(evidence.Exits.Name())
	if err != nil || len(lines) != len(exits) {
		t.Fatalf("%d lines of %d exits, %v", len(lines), len(exits), err)
	}
	type count int
	counted := func(r *evidence.Run) count {
		return evidence.Derive(r, func(r *evidence.Run) count { return count(len(evidence.Exits.Of(r))) })
	}
	before := counted(run)
	for _, c := range []struct {
		name  string
		lines string
		want  []evidence.Exit
	}{
		{"none", "", nil},
		{"one of two", string(lines[0]), exits[:1]},
		{"one more", string(lines[0]) + string(lines[0]) + string(lines[0]), slices.Concat(exits, exits[:1])},
		{"another", `{"node":"web-9"}` + "\n", []evidence.Exit{{Node: "web-9"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			copied := run.Altered(evidence.Exits.Name(), []byte(c.lines))
			if got := evidence.Exits.Of(copied); !slices.Equal(got, c.want) {
				t.Errorf("%+v, want %+v", got, c.want)
			}
			if got := counted(copied); got != count(len(c.want)) {
				t.Errorf("%d were counted", got)
			}
			if !slices.Equal(evidence.Requests.Of(copied), evidence.Requests.Of(run)) || copied.Plan.Scenario != run.Plan.Scenario || !copied.Complete || copied.Err() != nil {
				t.Errorf("all else is not as it was: %v", copied.Err())
			}
		})
	}
	if !slices.Equal(evidence.Exits.Of(run), exits) || counted(run) != before || run.Err() != nil {
		t.Errorf("the run itself was altered: %v", run.Err())
	}
}

// TestAlteredBeyondReading: lines that are no records damage the copy alone.
func TestAlteredBeyondReading(t *testing.T) {
	run := open(t, saved(t))
	copied := run.Altered(evidence.Exits.Name(), []byte("nonsense\n"))
	if got := evidence.Exits.Of(copied); len(got) != 0 || !errors.Is(copied.Err(), evidence.ErrDamaged) || run.Err() != nil {
		t.Errorf("%v, %v, %v", got, copied.Err(), run.Err())
	}
}

// TestAlteredOfDamage: a copy of which a kind that it shares does not read says so.
func TestAlteredOfDamage(t *testing.T) {
	dir := saved(t)
	if err := edit(filepath.Join(dir, "evidence", "nodes.ndjson"), replaceLine("nonsense")); err != nil {
		t.Fatal(err)
	}
	copied := open(t, dir).Altered(evidence.Exits.Name(), nil)
	if got := evidence.Nodes.Of(copied); len(got) != 0 || !errors.Is(copied.Err(), evidence.ErrDamaged) {
		t.Errorf("%v, %v", got, copied.Err())
	}
}

// TestWritten: every kind with records is listed, also one that nobody reads.
func TestWritten(t *testing.T) {
	var want []string
	for _, k := range kinds() {
		want = append(want, k.name)
	}
	slices.Sort(want)
	got, err := open(t, saved(t)).Written()
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	if got, err := evidence.New(evidence.Plan{}).Written(); len(got) != 0 || err != nil {
		t.Errorf("of a run that was built by hand: %v, %v", got, err)
	}
}

// TestFields: a kind that was read is known with all fields of its records, also those that are left out when they are zero.
func TestFields(t *testing.T) {
	run := open(t, saved(t))
	if got := run.Fields(evidence.Nodes.Name()); got != nil {
		t.Errorf("%v of a kind that was not read", got)
	}
	for _, k := range kinds() {
		k.of(run)
		got := slices.Sorted(maps.Keys(run.Fields(k.name)))
		if want := slices.Sorted(slices.Values(fieldsOf(k.record))); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", k.name, got, want)
		}
	}
	var zeros []string
	for name, zero := range run.Fields(evidence.Nodes.Name()) {
		zeros = append(zeros, name+"="+string(zero))
	}
	slices.Sort(zeros)
	if got := strings.Join(zeros, " "); got != `addr="" name="" role="" store=false subject=false` {
		t.Error(got)
	}
	if got := evidence.NewKind("words", func(a, b *string) int { return strings.Compare(*a, *b) }).Fields(); len(got) != 0 {
		t.Errorf("%v of records without fields", got)
	}
}
