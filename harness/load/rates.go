package load

import (
	"fmt"
	"sort"
	"time"
)

// Ramp is an arrival rate, in requests per second, that rises or falls linearly from one value to another.
func Ramp(from, to float64, length time.Duration) Shape {
	growth := (to - from) / length.Seconds()
	text := fmt.Sprintf("%s/s to %s/s over %s", formatRate(from), formatRate(to), length)
	return newVarying(length, text, func(t float64) float64 { return from*t + growth*t*t/2 })
}

// Spike is a constant arrival rate, base, that jumps to peak at the moment at and back after width, all within length. Rates
// are in requests per second.
func Spike(base, peak float64, at, width, length time.Duration) Shape {
	text := fmt.Sprintf("%s/s for %s, with %s/s from %s for %s", formatRate(base), length, formatRate(peak), at, width)
	return newVarying(length, text, func(t float64) float64 {
		atPeak := min(max(t-at.Seconds(), 0), width.Seconds())
		return base*t + (peak-base)*atPeak
	})
}

// varying is an arrival rate that changes. sent is its integral: the number of requests that are due in the first t seconds.
type varying struct {
	n      uint64
	length time.Duration
	text   string
	sent   func(t float64) float64
}

func newVarying(length time.Duration, text string, sent func(float64) float64) Shape {
	return varying{n: whole(sent(length.Seconds())), length: length, text: text, sent: sent}
}

// Due is the first nanosecond by which k+1 requests are due. The binary search looks at the same moments for every k, down to
// where two searches part. So a later request is never due before an earlier one, whatever the rounding.
func (v varying) Due(k uint64) (time.Duration, bool) {
	if k >= v.n {
		return 0, false
	}
	due := sort.Search(int(v.length), func(t int) bool { return v.sent(time.Duration(t).Seconds()) >= float64(k+1) })
	return time.Duration(due), true
}

func (v varying) String() string { return v.text }
