// Package service is the gateway's domain: one request's way from its key to an answer, with at most one call of the
// expensive upstream in flight per key across all replicas. It knows its surroundings only through the small ports that
// it owns (ports.go); adapters for them live in the sub-packages named by their technology.
package service

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/bits"
	"strconv"
	"time"
)

// Query is what a client asks of the model.
type Query struct {
	Model       string
	Prompt      string
	Temperature float64
	MaxTokens   int // upper bound of the completion, in tokens
}

// Request is one query of one tenant.
type Request struct {
	ID     string // a label for logs and ledgers, which the client may choose, and give to many; nothing is counted by it
	Tenant string
	KeyID  string // of the API key that it came with
	Query  Query
	Until  time.Time // its deadline; the zero Time for none. What would end later is not begun again for it
}

// Key names the answer that a request asks for: the hexadecimal SHA-256 over tenant and query. Every field is preceded by
// its length, so that no two different requests read the same. The prompt counts as it is: white space matters in code and verse.
func (r Request) Key() string {
	h := sha256.New()
	var length [8]byte
	for _, field := range [...]string{
		r.Tenant,
		r.Query.Model,
		r.Query.Prompt,
		strconv.FormatFloat(r.Query.Temperature+0, 'g', -1, 64), // + 0 makes one of the two zeros
		strconv.Itoa(r.Query.MaxTokens),
	} {
		binary.BigEndian.PutUint64(length[:], uint64(len(field)))
		h.Write(length[:])
		h.Write([]byte(field))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Answer is a complete answer of the upstream, as both stores keep it.
type Answer struct {
	CallID           string `json:"call_id"`          // the upstream's own name of the call, printable; it may give one name to many
	Token            string `json:"token,omitempty"`  // of the flight that called, which no two have
	Text             string `json:"text"`             // may be empty, or have any character in it
	Finish           string `json:"finish,omitempty"` // why the upstream stopped, in its own word
	Model            string `json:"model"`
	PromptTokens     int64  `json:"prompt_tokens"`
	CompletionTokens int64  `json:"completion_tokens"`
	Cost             int64  `json:"cost_nanousd"` // price of the call that produced it, in nano-dollars
}

// Source is where an answer came from.
type Source string

// The sources of answers.
const (
	Hit    Source = "hit"    // the cache had it
	Call   Source = "call"   // this request's flight called the upstream
	Shared Source = "shared" // another request's flight, in this or another replica, called the upstream
	Stored Source = "stored" // the cache had lost it, another lease store still had it
	Stale  Source = "stale"  // past its expiry, given because the upstream fails
)

// Result is what a request gets.
type Result struct {
	Answer
	Source Source
	Cost   int64 // charged to this request, in nano-dollars; 0 unless its flight called the upstream
}

// Price is the upstream's price list, in nano-dollars per token.
type Price struct {
	Prompt, Completion int64
}

// Of is the price of a call that used so many tokens, in nano-dollars. It is not ok if there is no such price: of fewer than none, or
// of so many that the price is no int64.
func (p Price) Of(promptTokens, completionTokens int64) (nanousd int64, ok bool) {
	prompt, okPrompt := times(p.Prompt, promptTokens)
	completion, okCompletion := times(p.Completion, completionTokens)
	if !okPrompt || !okCompletion || prompt > math.MaxInt64-completion {
		return 0, false
	}
	return prompt + completion, true
}

// times multiplies what is not negative, unless the product is too large.
func times(a, b int64) (product int64, ok bool) {
	if a < 0 || b < 0 {
		return 0, false
	}
	high, low := bits.Mul64(uint64(a), uint64(b))
	return int64(low), high == 0 && low <= math.MaxInt64
}
