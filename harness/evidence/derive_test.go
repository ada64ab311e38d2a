package evidence_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

type (
	requestCount int
	recordCount  int
)

// TestDerive: many readers at once share one thing of a type, and each type and each run has its own.
func TestDerive(t *testing.T) {
	const readers = 8
	run := evidence.New(evidence.Plan{}, evidence.Requests.With(make([]evidence.Request, 3)...), evidence.Exits.With(make([]evidence.Exit, 5)...))
	var made atomic.Int32
	count := func(r *evidence.Run) requestCount {
		made.Add(1)
		return requestCount(len(evidence.Requests.Of(r)))
	}
	var all sync.WaitGroup
	for range readers {
		all.Go(func() {
			if n := evidence.Derive(run, count); n != 3 {
				t.Errorf("%d requests", n)
			}
		})
	}
	all.Wait()
	if made.Load() != 1 {
		t.Errorf("made %d times", made.Load())
	}
	nested := func(r *evidence.Run) recordCount {
		return recordCount(int(evidence.Derive(r, count)) + len(evidence.Exits.Of(r)))
	}
	if n := evidence.Derive(run, nested); n != 8 {
		t.Errorf("%d records", n)
	}
	if n := evidence.Derive(evidence.New(evidence.Plan{}), count); n != 0 {
		t.Errorf("%d requests of another run", n)
	}
}
