package check

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// nanoUSD is how many nano-dollars make a dollar. Sums are made in integers; figures are dollars for people.
const nanoUSD = 1e9

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func usd(nano int64) float64 { return float64(nano) / nanoUSD }

// percentile of sorted values by the nearest-rank method, so that it is always a value that occurred.
func percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[nearestRank(len(sorted), p)-1]
}

// nearestRank is which of n sorted values the percentile is, counted from 1.
func nearestRank(n int, p float64) int {
	rank := int(p/100*float64(n) + 0.999999)
	return min(max(rank, 1), n)
}

// tally counts things by a label and tells them the most frequent first, ties by name.
type tally map[string]int

func (t tally) String() string {
	labels := slices.SortedFunc(maps.Keys(t), func(a, b string) int {
		return cmp.Or(cmp.Compare(t[b], t[a]), cmp.Compare(a, b))
	})
	for i, l := range labels {
		labels[i] = fmt.Sprintf("%d %s", t[l], l)
	}
	return strings.Join(labels, ", ")
}

func (t tally) sum() (n int) {
	for _, c := range t {
		n += c
	}
	return n
}
