package scenarios

import (
	"fmt"
	"strings"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
)

// variants change a plain question in one thing each, which makes another question of it. A service that takes two of them for the
// same gives an answer to another question, and RightAnswer fails.
func variants() []func(*gateway.Question) {
	return []func(*gateway.Question){
		func(*gateway.Question) {},
		func(q *gateway.Question) { q.Model = "fake-2" },
		func(q *gateway.Question) { q.Temperature = 0.7 },
		func(q *gateway.Question) { q.MaxTokens++ },
		func(q *gateway.Question) { q.Prompt = strings.Replace(q.Prompt, " ", "  ", 1) },
		func(q *gateway.Question) { q.Prompt += "\n" },
		func(q *gateway.Question) { q.Prompt = strings.ToUpper(q.Prompt) },
		func(q *gateway.Question) { q.Prompt = strings.ReplaceAll(q.Prompt, "\u00e9", "e\u0301") }, // one letter, in its other form
		func(q *gateway.Question) { q.Prompt = longPreface() + q.Prompt },
		func(q *gateway.Question) { q.Prompt = longPreface() + q.Prompt + " Now." }, // apart from the last one at its end alone
	}
}

// longPreface makes a request of some 4 kB. Those above 16 kB the balancer cannot repeat.
func longPreface() string { return strings.Repeat("Read this with care. ", 200) }

// about is the n-th question about a subject, and the next variant of the one before. Every tenant asks the same ones, so that an
// answer given to the wrong tenant cannot go unnoticed.
func about(subject string, n uint64) gateway.Question {
	all := variants()
	many := uint64(len(all))
	q := gateway.Question{Model: "fake-1", MaxTokens: 64,
		Prompt: fmt.Sprintf("Summarise %s number %d for the caf\u00e9 in one sentence.", subject, n/many)}
	all[n%many](&q)
	return q
}
