package load

import (
	"math/rand/v2"
	"time"
)

// Zipf draws one of n numbers, from 0 on, as people choose among topics: number k with a probability in proportion to
// (v+k)^-s. s must be above 1, v and n at least 1; the larger v is, the less do the first few stand out.
func Zipf(r *rand.Rand, s, v float64, n uint64) uint64 { return rand.NewZipf(r, s, v, n-1).Uint64() }

// Aborting has a share, 0 to 1, of the clients cancel their requests: each closes its connection at a moment between from and
// to after sending, unless it has its answer by then. Who cancels, and when, is drawn with the request.
func Aborting(share float64, from, to time.Duration, request func(uint64, *rand.Rand) Request) func(uint64, *rand.Rand) Request {
	return func(k uint64, r *rand.Rand) Request {
		out := request(k, r)
		if r.Float64() < share {
			out.AbortAfter = from + time.Duration(r.Float64()*float64(to-from))
		}
		return out
	}
}
