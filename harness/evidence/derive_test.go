package evidence_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

type (
	callCount int
	hopCount  int
)

// TestDerive: many readers at once share one thing of a type, and each type and each run has its own.
func TestDerive(t *testing.T) {
	const readers = 8
	run := evidence.New(evidence.Plan{}, evidence.Records{Calls: make([]evidence.Call, 3), Hops: make([]evidence.Hop, 5)})
	var made atomic.Int32
	count := func(r *evidence.Run) callCount {
		made.Add(1)
		n := callCount(0)
		for range r.Calls() {
			n++
		}
		return n
	}
	var all sync.WaitGroup
	for range readers {
		all.Go(func() {
			if n := evidence.Derive(run, count); n != 3 {
				t.Errorf("%d calls", n)
			}
		})
	}
	all.Wait()
	if made.Load() != 1 {
		t.Errorf("made %d times", made.Load())
	}
	nested := func(r *evidence.Run) hopCount { return hopCount(evidence.Derive(r, count)) + 2 }
	if n := evidence.Derive(run, nested); n != 5 {
		t.Errorf("%d hops", n)
	}
	if n := evidence.Derive(evidence.New(evidence.Plan{}, evidence.Records{}), count); n != 0 {
		t.Errorf("%d calls of another run", n)
	}
}

// TestPlaces: a record's place is that in the order of its iterator.
func TestPlaces(t *testing.T) {
	run := evidence.New(evidence.Plan{}, evidence.Records{Calls: []evidence.Call{{Seq: 1}, {Seq: 0}},
		Hops: []evidence.Hop{{RequestID: "b", At: 2}, {RequestID: "a", At: 1}}, Rows: []evidence.Row{{ID: "b", At: 2}, {ID: "a", At: 1}},
		Upstream: []evidence.Upstream{{ID: "b", Arrived: 2}, {ID: "a", Arrived: 1}}})
	if c, h, w := run.CallAt(1), run.HopAt(0), run.RowAt(1); c.Seq != 1 || h.RequestID != "a" || w.ID != "b" {
		t.Errorf("%d, %s, %s", c.Seq, h.RequestID, w.ID)
	}
	for i, c := range run.EachCall() {
		if c != run.CallAt(i) {
			t.Errorf("request %d is not the one at its place", i)
		}
	}
	for i, h := range run.EachHop() {
		if h != run.HopAt(i) {
			t.Errorf("hop %d is not the one at its place", i)
		}
	}
	for i, w := range run.EachRow() {
		if w != run.RowAt(i) {
			t.Errorf("row %d is not the one at its place", i)
		}
	}
	var arrived []string
	for i, u := range run.EachUpstream() {
		arrived = append(arrived, fmt.Sprint(i, u.ID))
	}
	if !slices.Equal(arrived, []string{"0a", "1b"}) {
		t.Errorf("upstream calls %q", arrived)
	}
}
