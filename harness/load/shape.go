package load

import (
	"fmt"
	"strconv"
	"time"
)

// Shape says when the requests of a stage are due.
type Shape interface {
	// Due is the moment of the k-th request, counted from 0, from the start of the stage; it never decreases with k.
	// It is false after the last request.
	Due(k uint64) (time.Duration, bool)
	// String is the shape as people write it.
	String() string
}

// Constant is a steady arrival rate, in requests per second. As with vegeta's own pacer, the first request is due one interval
// after the start.
func Constant(rate float64, length time.Duration) Shape {
	return constant{n: whole(rate * length.Seconds()), rate: rate, length: length}
}

// whole is how many requests are due by the time that their rate has added up to sum. It allows for a sum that rounding made a
// little too small, which would cost its last request.
func whole(sum float64) uint64 {
	const rounding = 1e-9
	return uint64(max(0, sum+rounding))
}

type constant struct {
	n      uint64
	rate   float64
	length time.Duration
}

func (c constant) Due(k uint64) (time.Duration, bool) {
	return time.Duration(float64(k+1) / c.rate * float64(time.Second)), k < c.n
}

func (c constant) String() string {
	return fmt.Sprintf("%s/s for %s", formatRate(c.rate), c.length)
}

// formatRate writes a rate in as few digits as tell it.
func formatRate(rate float64) string { return strconv.FormatFloat(rate, 'f', -1, 64) }

// Spread is n requests at even distances over length, the last one at its end.
func Spread(n uint64, length time.Duration) Shape { return spread{n: n, length: length} }

type spread struct {
	n      uint64
	length time.Duration
}

func (s spread) Due(k uint64) (time.Duration, bool) {
	if k >= s.n {
		return 0, false
	}
	return time.Duration(float64(k+1) / float64(s.n) * float64(s.length)), true
}

func (s spread) String() string { return fmt.Sprintf("%d over %s", s.n, s.length) }

// Herd is n requests that are all due at the same moment.
func Herd(n uint64, at time.Duration) Shape { return herd{n: n, at: at} }

type herd struct {
	n  uint64
	at time.Duration
}

func (h herd) Due(k uint64) (time.Duration, bool) { return h.at, k < h.n }

func (h herd) String() string {
	if h.at == 0 {
		return fmt.Sprintf("%d at once", h.n)
	}
	return fmt.Sprintf("%d at once, after %s", h.n, h.at)
}

// count is the number of a shape's requests, found by doubling and then halving the distance to the last one.
func count(s Shape) uint64 {
	has := func(k uint64) bool { _, ok := s.Due(k); return ok }
	if !has(0) {
		return 0
	}
	low, high := uint64(0), uint64(1) // has(low); has(high) not, once the first loop is done
	for has(high) {
		low, high = high, 2*high
	}
	for high-low > 1 {
		if mid := low + (high-low)/2; has(mid) {
			low = mid
		} else {
			high = mid
		}
	}
	return high
}
