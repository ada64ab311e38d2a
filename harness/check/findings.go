package check

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Findings collects counter-examples: how many there are of each kind, and the first requests that prove them. The zero value
// has none.
type Findings struct {
	why      map[string]int
	requests []uint64
}

// Add notes one counter-example, and the requests that prove it, if any do.
func (f *Findings) Add(why string, requests ...uint64) {
	if f.why == nil {
		f.why = map[string]int{}
	}
	f.why[why]++
	f.requests = append(f.requests, requests[:min(len(requests), MaxRequests-len(f.requests))]...)
}

// N is how many counter-examples there are.
func (f *Findings) N() (n int) {
	for _, c := range f.why {
		n += c
	}
	return n
}

// Requests are the first ones that prove them, at most MaxRequests.
func (f *Findings) Requests() []uint64 { return f.requests }

// Count is how many there are of one kind.
func (f *Findings) Count(why string) int { return f.why[why] }

// String says how many there are of each kind, the most frequent first, ties by name.
func (f *Findings) String() string {
	kinds := slices.SortedFunc(maps.Keys(f.why), func(a, b string) int {
		return cmp.Or(cmp.Compare(f.why[b], f.why[a]), cmp.Compare(a, b))
	})
	for i, k := range kinds {
		kinds[i] = fmt.Sprintf("%d %s", f.why[k], k)
	}
	return strings.Join(kinds, ", ")
}

// finding is the first counter-example, in words, and the first doubt, for a check that tells of one of many. The zero value has
// neither.
type finding struct {
	broken string
	doubt  error
}

func (f *finding) breaks(format string, args ...any) {
	if f.broken == "" {
		f.broken = fmt.Sprintf(format, args...)
	}
}

func (f *finding) doubts(format string, args ...any) {
	if f.doubt == nil {
		f.doubt = fmt.Errorf(format, args...)
	}
}

// verdict is Fail with the counter-example, else the doubt, else Pass with that reason.
func (f *finding) verdict(figures map[string]float64, reason string, args ...any) (Verdict, error) {
	if f.broken != "" {
		return Failf(figures, nil, "%s", f.broken), nil
	}
	return Passf(figures, reason, args...), f.doubt
}
