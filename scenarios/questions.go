package scenarios

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
	"github.com/sentinel-chaos/sentinel/harness/load"
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
		func(q *gateway.Question) { q.Temperature = 0.7 + 1e-9 },                    // apart from another one in its last digits alone
		func(q *gateway.Question) { q.Prompt = " " + q.Prompt },
		func(q *gateway.Question) { q.Prompt = strings.TrimSuffix(q.Prompt, ".") },
		func(q *gateway.Question) { q.Model = "Fake-1" },
	}
}

// confidential are parts of all questions and of the bad requests. Whoever tells one, even if cut, tells one of these.
func confidential() []string {
	return []string{"Summarise", "SUMMARISE", "Read this with care", "in one sentence", "IN ONE SENTENCE"}
}

// asking is a load of clients whose questions are confidential.
func asking(stages ...load.Stage) load.Profile {
	client := gateway.Client(stages...)
	client.Confidential = append(client.Confidential, confidential()...)
	return client
}

// ofOneModel has a load ask one model alone. Gateways hold calls back by model: one that is asked once a second takes its time to be given
// up, and advice is compared with what the replica lets through next, whichever model that asks.
func ofOneModel(p load.Profile) load.Profile {
	for _, stages := range [][]load.Stage{p.Warmup, p.Stages} {
		for i := range stages {
			ask := stages[i].Request
			stages[i].Request = func(k uint64, r *rand.Rand) load.Request { return gateway.AskInstead(ask(k, r), onlyModel) }
		}
	}
	return p
}

const onlyModel = "fake-1"

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
