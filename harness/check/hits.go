package check

import (
	"slices"
	"sort"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// hits says of each request, by its place, whether it must have found a stored answer: a successful upstream call of its key
// ended before it was due, and within the lifetime.
type hits []bool

// readHits needs a plan that has the lifetime of answers: see lifetimeOf.
func readHits(run *evidence.Run) hits { return evidence.Derive(run, newHits) }

func newHits(run *evidence.Run) hits {
	lifetime, _ := lifetimeOf(run)
	k := readKeys(run)
	ends := successes(run, k)
	h := make(hits, len(k.request))
	for i, c := range eachBrief(run) {
		of := ends[k.request[i]]
		n := sort.Search(len(of), func(i int) bool { return of[i] >= c.Due })
		h[i] = n > 0 && c.Due-of[n-1] < lifetime
	}
	return h
}

// successes are the ends of the successful upstream calls of each key, ascending.
func successes(run *evidence.Run, k *keys) [][]time.Duration {
	all := make([][]time.Duration, k.total)
	for i, u := range run.EachUpstream() {
		if u.Outcome == evidence.UpstreamOK {
			all[k.call[i]] = append(all[k.call[i]], u.Ended)
		}
	}
	for _, of := range all {
		slices.Sort(of)
	}
	return all
}
