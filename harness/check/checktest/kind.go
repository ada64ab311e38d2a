package checktest

import (
	"slices"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// Kind is a kind of record, as a history is copied and saved.
type Kind struct {
	many  bool // there may be many of it, of which a saved history keeps only what its verdict needs
	size  func(*evidence.Run) int
	first func(run *evidence.Run, n int) evidence.Records
	put   func(*evidence.Recorder, *evidence.Run)
}

// Few is a kind of which a history has few records.
func Few[T any](k *evidence.Kind[T]) Kind {
	return Kind{
		size:  func(run *evidence.Run) int { return len(k.Of(run)) },
		first: func(run *evidence.Run, n int) evidence.Records { return k.With(k.Of(run)[:n]...) },
		put: func(rec *evidence.Recorder, run *evidence.Run) {
			for _, v := range k.Of(run) {
				k.Put(rec, v)
			}
		},
	}
}

// Many is a kind of which a history may have many records.
func Many[T any](k *evidence.Kind[T]) Kind {
	kind := Few(k)
	kind.many = true
	return kind
}

// kinds are those of every run and the system's own.
func (s Suite) kinds() []Kind {
	return slices.Concat([]Kind{Many(evidence.Requests)}, s.Kinds, []Kind{Many(evidence.Samples), Many(evidence.Clocks), Many(evidence.Accounts), Many(evidence.CPUUses), Few(evidence.Warmup), Few(evidence.Exits), Few(evidence.Injections),
		Few(evidence.Observations), Few(evidence.Windows), Few(evidence.Nodes), Few(evidence.LogDefects), Few(evidence.Leaks)})
}

// Save leaves a run on disk as a harness does.
func (s Suite) Save(run *evidence.Run, dir string) error {
	rec, err := evidence.NewRecorder(dir, run.Plan.Epoch)
	if err != nil {
		return err
	}
	for _, k := range s.kinds() {
		k.put(rec, run)
	}
	if err := rec.WritePlan(run.Plan); err != nil {
		return err
	}
	return rec.Close()
}
