package load

import (
	"fmt"
	"math"
	"sort"
	"strings"
	"time"
)

// Ramp is a rate, in requests per second, that changes evenly from one value to another.
func Ramp(from, to float64, length time.Duration) Shape {
	growth := (to - from) / length.Seconds()
	return vary(length, fmt.Sprintf("%s/s to %s/s over %s", number(from), number(to), length), func(t float64) float64 {
		return from*t + growth*t*t/2
	})
}

// Step is a steady rate, in requests per second, then the next one, each for the same time.
func Step(each time.Duration, rates ...float64) Shape {
	parts := make([]part, len(rates))
	names := make([]string, len(rates))
	for i, rate := range rates {
		parts[i], names[i] = part{rate, each}, number(rate)+"/s"
	}
	return vary(each*time.Duration(len(rates)), fmt.Sprintf("%s, each for %s", strings.Join(names, ", "), each), sum(parts))
}

// Spike is a steady rate, in requests per second, with another one in the middle of it: peak from at on, for
// width, which ends within length.
func Spike(base, peak float64, at, width, length time.Duration) Shape {
	text := fmt.Sprintf("%s/s for %s, with %s/s from %s for %s", number(base), length, number(peak), at, width)
	return vary(length, text, sum([]part{{base, at}, {peak, width}, {base, length - at - width}}))
}

// Sine is a rate, in requests per second, that swings between two values; it begins half-way, rising.
func Sine(low, high float64, period, length time.Duration) Shape {
	middle, swing, turn := (low+high)/2, (high-low)/2, 2*math.Pi/period.Seconds()
	return vary(length, fmt.Sprintf("%s/s to %s/s and back every %s, for %s", number(low), number(high), period, length), func(t float64) float64 {
		return middle*t + swing/turn*(1-math.Cos(turn*t))
	})
}

// part is a steady rate for a time.
type part struct {
	rate  float64
	lasts time.Duration
}

// sum is the number of requests that are due in the first t seconds of the parts, one after another.
func sum(parts []part) func(t float64) float64 {
	return func(t float64) (n float64) {
		for _, p := range parts {
			n += p.rate * min(t, p.lasts.Seconds())
			if t -= p.lasts.Seconds(); t <= 0 {
				break
			}
		}
		return n
	}
}

// varying is a rate that changes. sent is its integral: the number of requests that are due in the first t seconds.
type varying struct {
	n      uint64
	length time.Duration
	text   string
	sent   func(t float64) float64
}

func vary(length time.Duration, text string, sent func(float64) float64) Shape {
	return varying{n: uint64(sent(length.Seconds()) + rounding), length: length, text: text, sent: sent}
}

// rounding, in requests, keeps an inexact sum from costing its last one.
const rounding = 1e-9

// Due is the first nanosecond by which k+1 requests are due. The search looks at the same moments for every k, down to where
// two of them part, so that whatever the rounding a later request is never due before an earlier one.
func (v varying) Due(k uint64) (time.Duration, bool) {
	if k >= v.n {
		return 0, false
	}
	due := sort.Search(int(v.length), func(t int) bool { return v.sent(time.Duration(t).Seconds()) >= float64(k+1) })
	return time.Duration(due), true
}

func (v varying) String() string { return v.text }
