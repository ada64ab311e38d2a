package load

import (
	"fmt"
	"iter"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/internal/panics"
)

// entry is the place of one request in the schedule.
type entry struct {
	seq   uint64 // over all stages, in order of due; at the same moment in order of the stages
	stage *Stage
	k     uint64        // within the stage
	due   time.Duration // from the start of the load
}

// schedule merges the stages. It is a function of the plan alone, and needs no memory to speak of.
func schedule(stages []Stage) iter.Seq[entry] {
	return func(yield func(entry) bool) {
		heads := make([]entry, 0, len(stages)) // the next of each stage
		for i := range stages {
			if due, ok := stages[i].Shape.Due(0); ok {
				heads = append(heads, entry{stage: &stages[i], due: stages[i].Start + due})
			}
		}
		for seq := uint64(0); len(heads) > 0; seq++ {
			i := earliest(heads)
			next := heads[i]
			next.seq = seq
			if !yield(next) {
				return
			}
			heads = advance(heads, i)
		}
	}
}

func earliest(heads []entry) int {
	first := 0
	for i := range heads {
		if heads[i].due < heads[first].due {
			first = i
		}
	}
	return first
}

func advance(heads []entry, i int) []entry {
	h := &heads[i]
	h.k++
	due, ok := h.stage.Shape.Due(h.k)
	if !ok {
		return append(heads[:i], heads[i+1:]...)
	}
	h.due = h.stage.Start + due
	return heads
}

// burst is a number of requests that are due at the same moment.
type burst struct {
	due time.Duration
	n   uint64
}

// bursts groups the schedule by moments.
func bursts(stages []Stage) iter.Seq[burst] {
	return func(yield func(burst) bool) {
		var b burst
		for e := range schedule(stages) {
			if e.due != b.due && b.n > 0 {
				if !yield(b) {
					return
				}
				b.n = 0
			}
			b.due, b.n = e.due, b.n+1
		}
		if b.n > 0 {
			yield(b)
		}
	}
}

// size is the largest number of requests that are due at the same moment, and the number of all.
func size(stages []Stage) (largest, planned uint64, err error) {
	err = panics.Do(func() error {
		for b := range bursts(stages) {
			largest = max(largest, b.n)
			planned += b.n
		}
		return nil
	})
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrProfile, err)
	}
	return largest, planned, err
}
