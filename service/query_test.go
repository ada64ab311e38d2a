package service_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/sentinel-chaos/sentinel/service"
)

func TestKeyTellsRequestsApart(t *testing.T) {
	base := service.Request{ID: "1", Tenant: "acme", Query: service.Query{Model: "m", Prompt: "a b", MaxTokens: 8}}
	tests := []struct {
		name   string
		change func(*service.Request)
		same   bool
	}{
		{"request id", func(r *service.Request) { r.ID = "2" }, true},
		{"the other zero", func(r *service.Request) { r.Query.Temperature = math.Copysign(0, -1) }, true},
		{"tenant", func(r *service.Request) { r.Tenant = "other" }, false},
		{"model", func(r *service.Request) { r.Query.Model = "n" }, false},
		{"prompt", func(r *service.Request) { r.Query.Prompt = "ab" }, false},
		{"white space", func(r *service.Request) { r.Query.Prompt = "a  b" }, false},
		{"white space at the start", func(r *service.Request) { r.Query.Prompt = " a b" }, false},
		{"a tab for a space", func(r *service.Request) { r.Query.Prompt = "a\tb" }, false},
		{"white space at the end", func(r *service.Request) { r.Query.Prompt = "a b\n" }, false},
		{"case", func(r *service.Request) { r.Query.Prompt = "A b" }, false},
		{"temperature", func(r *service.Request) { r.Query.Temperature = 0.1 }, false},
		{"tokens", func(r *service.Request) { r.Query.MaxTokens = 9 }, false},
		{"a border moved", func(r *service.Request) { r.Tenant, r.Query.Model = "acmem", "" }, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			other := base
			test.change(&other)
			if same := other.Key() == base.Key(); same != test.same {
				t.Errorf("same key: %t", same)
			}
		})
	}
}

// Two programs that differ in the indentation of their last line are two questions.
func TestKeyTakesPromptsAsTheyAre(t *testing.T) {
	seen := map[string]string{}
	for _, prompt := range []string{"if a:\n    b()\nc()", "if a:\n    b()\n    c()", "if a:\n    b()\n\tc()", "if a:\n    b()\n    c()\n", "if a:\r\n    b()\r\n    c()", " if a:\n    b()\n    c()"} {
		key := service.Request{Tenant: "acme", Query: service.Query{Model: "m", Prompt: prompt}}.Key()
		if other, twice := seen[key]; twice {
			t.Errorf("%q and %q share a key", prompt, other)
		}
		seen[key] = prompt
	}
}

func TestKeysOfDifferentTenantsNeverMeet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String()
		a := service.Request{Tenant: text.Draw(t, "tenant a"), Query: service.Query{Model: text.Draw(t, "model a")}}
		b := service.Request{Tenant: text.Draw(t, "tenant b"), Query: service.Query{Model: text.Draw(t, "model b")}}
		if a != b && a.Key() == b.Key() {
			t.Errorf("%+v and %+v share a key", a, b)
		}
	})
}

func TestPrice(t *testing.T) {
	usual := service.Price{Prompt: 150, Completion: 600}
	tests := []struct {
		price              service.Price
		prompt, completion int64
		want               int64
		ok                 bool
	}{
		{usual, 10, 64, 150*10 + 600*64, true},
		{usual, 0, 0, 0, true},
		{service.Price{}, math.MaxInt64, math.MaxInt64, 0, true},
		{service.Price{Prompt: 1}, math.MaxInt64, 0, math.MaxInt64, true},
		{service.Price{Prompt: 1, Completion: 1}, math.MaxInt64, 1, 0, false},
		{usual, -1, 0, 0, false},
		{usual, 0, -1, 0, false},
		{usual, math.MaxInt64, 0, 0, false},
		{usual, 130_000_000_000_000_000, 0, 0, false},
		{usual, 0, 1 << 62, 0, false},
		{usual, 0, 15_372_286_728_091_294, 0, false}, // the product would be negative
	}
	for _, test := range tests {
		if got, ok := test.price.Of(test.prompt, test.completion); got != test.want || ok != test.ok {
			t.Errorf("%+v of %d and %d: got %d, %t", test.price, test.prompt, test.completion, got, ok)
		}
	}
}
