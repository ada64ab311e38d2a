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
	if got := (service.Price{Prompt: 150, Completion: 600}).Of(10, 64); got != 150*10+600*64 {
		t.Errorf("got %d", got)
	}
}
