package check

import (
	"cmp"
	"slices"
	"sort"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// hits says of each request, by its place, whether it must have found a stored answer: that of a successful upstream call of
// its key was stored before it was due, and within the lifetime.
type hits []bool

// readHits needs a plan that has the lifetime of answers: see lifetimeOf.
func readHits(run *evidence.Run) hits { return evidence.Derive(run, newHits) }

func newHits(run *evidence.Run) hits {
	lifetime, _ := lifetimeOf(run)
	k := readKeys(run)
	answers := storedAnswers(run, k)
	h := make(hits, len(k.request))
	for i, c := range eachBrief(run) {
		of := answers[k.request[i]]
		n := sort.Search(len(of), func(i int) bool { return of[i].stored >= c.Due })
		h[i] = n > 0 && c.Due-of[n-1].given < lifetime
	}
	return h
}

// storedAnswer is when an upstream gave an answer, and when that had certainly been stored: at once, where an authority takes writes
// and but for a caller that a fault may have kept from it. That had stored it when a client was told, which is forever if none was.
type storedAnswer struct{ given, stored time.Duration }

// storedAnswers are those to each key, by the time from which they were there to be found.
func storedAnswers(run *evidence.Run, k *keys) [][]storedAnswer {
	all := make([][]storedAnswer, k.total)
	told, lost := readTold(run), losses(run)
	for i, u := range run.EachUpstream() {
		if u.Outcome != evidence.UpstreamOK {
			continue
		}
		a := storedAnswer{u.Ended, u.Ended}
		if meetsAny(lost[u.Caller], span{u.Arrived, u.Ended + storedWithin}) {
			a.stored = max(u.Ended, told[i])
		}
		all[k.call[i]] = append(all[k.call[i]], a)
	}
	for _, of := range all {
		slices.SortFunc(of, func(a, b storedAnswer) int { return cmp.Compare(a.stored, b.stored) })
		for i := 1; i < len(of); i++ { // of those that are stored, the youngest lives longest
			of[i].given = max(of[i].given, of[i-1].given)
		}
	}
	return all
}

// losses are, by node, the times in which a fault may have kept it from storing anything.
func losses(run *evidence.Run) map[string][]span {
	all := map[string][]span{}
	for n := range run.Nodes() {
		if n.Subject {
			all[n.Name] = harmed(run, n.Name, append(takesAway(), evidence.FaultCut)...)
		}
	}
	return all
}
