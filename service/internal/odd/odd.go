// Package odd makes inputs up for tests, well-formed and not: the same from the same seed, so that whatever fails can be had again.
package odd

import (
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
)

// Variables by which a test that makes inputs up is told how many, from which seed, and of which number alone.
const (
	countVariable = "FUZZ_COUNT"
	seedVariable  = "FUZZ_SEED"
	onlyVariable  = "FUZZ_ONLY"
)

// Plan is how many inputs a test makes up.
type Plan struct {
	Seed  uint64
	Count uint64
	Only  uint64 // the number of the only one; 0 for all
}

// NewPlan reads the plan from the environment: so many inputs, from a seed that is drawn, if that does not say otherwise.
func NewPlan(t testing.TB, count uint64) Plan {
	t.Helper()
	p := Plan{Seed: number(t, seedVariable, rand.Uint64()), Count: number(t, countVariable, count), Only: number(t, onlyVariable, 0)}
	t.Logf("%s=%d %s=%d", seedVariable, p.Seed, countVariable, p.Count)
	return p
}

func number(t testing.TB, variable string, otherwise uint64) uint64 {
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}

// Draws returns what the input of a number is drawn from.
func (p Plan) Draws(number uint64) *rand.Rand { return rand.New(rand.NewPCG(p.Seed, number)) }

// Pick returns one of them.
func Pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// In reports true once in so many times.
func In(r *rand.Rand, times int) bool { return r.IntN(times) == 0 }

const (
	mostChanges = 4
	longestRun  = 8 // bytes
)

// Mutate changes a text in a few places: it alters, adds, leaves out, doubles or moves a few bytes, or cuts the rest off.
func Mutate(r *rand.Rand, text []byte) []byte {
	text = slices.Clone(text)
	for range 1 + r.IntN(mostChanges) {
		if len(text) == 0 {
			return text
		}
		i := r.IntN(len(text))
		j := min(len(text), i+1+r.IntN(longestRun))
		switch r.IntN(8) {
		case 0:
			text[i] ^= 1 << r.IntN(8)
		case 1:
			text[i] = byte(r.UintN(256))
		case 2:
			text = slices.Delete(text, i, j)
		case 3:
			text = slices.Insert(text, r.IntN(len(text)), slices.Clone(text[i:j])...)
		case 4:
			if In(r, 4) {
				text = text[:i]
			}
		default:
			text = slices.Insert(text, i, []byte(Pick(r, pieces()...))...)
		}
	}
	return text
}

// pieces mean something to some parser.
func pieces() []string {
	return []string{"\r\n", "\n", "\r", "\x00", "\xff", "\xc0\x80", "\ufeff", "\u2028", "%00", "%", "+", "&", ";", "?", "#", "/", "//", "/../", "{", "}", "[", "]",
		"\"", "\\", "\\u0000", "\\ud800", "\\udc00", ",", ":", " ", "\t", "0", "-", "1e999", ".", "null", "chunked", "Transfer-Encoding: chunked\r\n",
		"Content-Length: 0\r\n", "Connection: close\r\n", "HTTP/1.1", "HTTP/1.0", "Bearer "}
}
