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
	ends     map[string][]time.Duration // of the key's successful upstream calls, ascending
}

func newStored(run *evidence.Run, lifetime time.Duration) stored {
	s := stored{lifetime, map[string][]time.Duration{}}
	for u := range run.Upstream() {
		if u.Outcome == evidence.UpstreamOK {
			s.ends[u.Key] = append(s.ends[u.Key], u.Ended)
		}
	}
	for _, ends := range s.ends {
		slices.Sort(ends)
	}
	return s
}

// hit says whether a request for the key that is due at that moment must find a stored answer: a successful call of the
// key ended before, and within the lifetime.
func (s stored) hit(key string, due time.Duration) bool {
	ends := s.ends[key]
	i := sort.Search(len(ends), func(i int) bool { return ends[i] >= due })
	return i > 0 && due-ends[i-1] < s.lifetime
}
