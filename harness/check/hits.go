package check

import (
	"slices"
	"sort"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// stored knows when the answers of each key came into being.
type stored struct {
	lifetime time.Duration
	ends     ends
}

func newStored(run *evidence.Run, lifetime time.Duration) stored {
	return stored{lifetime, evidence.Derive(run, successes)}
}

// ends are the ends of the successful upstream calls of each key, ascending.
type ends map[string][]time.Duration

func successes(run *evidence.Run) ends {
	all := ends{}
	for u := range run.Upstream() {
		if u.Outcome == evidence.UpstreamOK {
			all[u.Key] = append(all[u.Key], u.Ended)
		}
	}
	for _, of := range all {
		slices.Sort(of)
	}
	return all
}

// hit says whether a request for the key that is due at that moment must find a stored answer: a successful call of the
// key ended before, and within the lifetime.
func (s stored) hit(key string, due time.Duration) bool {
	ends := s.ends[key]
	i := sort.Search(len(ends), func(i int) bool { return ends[i] >= due })
	return i > 0 && due-ends[i-1] < s.lifetime
}
