package scenarios

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sentinel-chaos/sentinel/fixtures/gateway"
	"github.com/sentinel-chaos/sentinel/harness/load"
)

// TestQuestionsDiffer: no two questions about a subject are the same, whatever a careless rule might think of their variants.
func TestQuestionsDiffer(t *testing.T) {
	seen := map[any]uint64{}
	for n := range uint64(3 * len(variants())) {
		q := about("this", n)
		if first, twice := seen[q]; twice {
			t.Errorf("questions %d and %d are the same: %+v", first, n, q)
		}
		seen[q] = n
		if !slices.ContainsFunc(confidential(), func(part string) bool { return strings.Contains(q.Prompt, part) }) {
			t.Errorf("question %d would be told unseen: %+v", n, q)
		}
		if q != about("this", n) || q == about("that", n) {
			t.Errorf("question %d: %+v", n, q)
		}
	}
}

// TestOfOneModel: no question is lost when all of them are for one model.
func TestOfOneModel(t *testing.T) {
	client := load.Profile{Stages: []load.Stage{{Request: func(k uint64, _ *rand.Rand) load.Request { return gateway.Query("acme", about("this", k)) }}}}
	ask := ofOneModel(client).Stages[0].Request
	seen := map[string]bool{}
	for k := range uint64(3 * len(variants())) {
		r := ask(k, nil)
		if seen[r.Key] || r.User != "acme" || !bytes.Contains(r.Body, []byte(`"model":"`+onlyModel+`"`)) {
			t.Errorf("question %d: %+v", k, r)
		}
		seen[r.Key] = true
	}
}
