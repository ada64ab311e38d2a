package service_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/big"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/service"
	"github.com/sentinel-chaos/sentinel/service/internal/odd"
	"github.com/sentinel-chaos/sentinel/service/internal/oracle"
	"github.com/sentinel-chaos/sentinel/service/llm"
)

// FuzzKey: two requests have one key if they ask for the same, and only then.
func FuzzKey(f *testing.F) {
	f.Add("acme", "m", "p", 0.5, 8, "acme", "m", "p", 0.5, 8)
	f.Add("a", "bc", "", 0.0, 1, "ab", "c", "", math.Copysign(0, -1), 1)
	f.Fuzz(func(t *testing.T, tenant, model, prompt string, heat float64, most int, tenant2, model2, prompt2 string, heat2 float64, most2 int) {
		if math.IsNaN(heat) || math.IsNaN(heat2) {
			return // no JSON is one
		}
		a := service.Request{ID: "a", Tenant: tenant, Query: service.Query{Model: model, Prompt: prompt, Temperature: heat, MaxTokens: most}}
		b := service.Request{ID: "b", Tenant: tenant2, Query: service.Query{Model: model2, Prompt: prompt2, Temperature: heat2, MaxTokens: most2}}
		if same := a.Tenant == b.Tenant && a.Query == b.Query; (a.Key() == b.Key()) != same {
			t.Errorf("%+v, %+v: keys %s, %s", a, b, a.Key(), b.Key())
		}
	})
}

// FuzzPrice: a price is what it is without bounds, or there is none.
func FuzzPrice(f *testing.F) {
	f.Add(int64(150), int64(600), int64(7), int64(19))
	f.Add(int64(600), int64(600), int64(15372286728091294), int64(-1))
	f.Add(int64(1), int64(1), int64(math.MaxInt64), int64(1))
	f.Fuzz(func(t *testing.T, prompt, completion, promptTokens, completionTokens int64) {
		product := func(a, b int64) *big.Int { return new(big.Int).Mul(big.NewInt(a), big.NewInt(b)) }
		sum := new(big.Int).Add(product(prompt, promptTokens), product(completion, completionTokens))
		can := min(prompt, completion, promptTokens, completionTokens) >= 0 && sum.IsInt64()
		got, ok := service.Price{Prompt: prompt, Completion: completion}.Of(promptTokens, completionTokens)
		if ok != can || ok && got != sum.Int64() {
			t.Errorf("%d, %t, not %s", got, ok, sum)
		}
	})
}

// FuzzBooked: whatever a model answers, through the client of models to the stores: what is given out is stored in both, what is billed is
// booked once and at its price, and nothing else is.
func FuzzBooked(f *testing.F) {
	const used = `"usage":{"prompt_tokens":2,"completion_tokens":3}`
	for _, body := range []string{`{"id":"c","choices":[{"message":{"content":"x"}}],` + used + `}`, `{"choices":[],` + used + `}`, `{"id":"poison",` + used + `}`, "Sorry",
		`{"id":"c","choices":[{"message":{"content":"\u0000\ud800"}}],` + used + `,` + used + `}`} {
		f.Add(200, []byte(body))
	}
	f.Add(429, []byte{})
	var status int
	var current []byte
	var asked atomic.Bool
	upstream := odd.Start(f, func([]byte) odd.Reply {
		asked.Store(true)
		return odd.Reply{Raw: fmt.Appendf(nil, "HTTP/1.1 %03d x\r\nConnection: close\r\n\r\n%s", status, current), Ends: true}
	})
	price := service.Price{Prompt: 150, Completion: 600}
	client := llm.New(llm.Options{URL: upstream.URL, Timeout: time.Minute, Budget: time.Minute, MaxRest: 1, Log: slog.New(slog.DiscardHandler), Price: price,
		Breaker: llm.BreakerOptions{Failures: math.MaxUint32, Open: 1, Probes: 1}}, func(string) {})
	f.Fuzz(func(t *testing.T, code int, body []byte) {
		if code < 200 || code > 999 || code == 204 || code == 304 {
			return // no body belongs to it
		}
		status, current = code, body
		asked.Store(false)
		want := oracle.Completion{}
		if code == 200 {
			want = oracle.ReadCompletion(body)
		}
		if want.ID == poison {
			return // of which the fakes take none
		}
		w := newWorld(0)
		g, ledger := w.gatewayOf("gateway-1", client)
		result, err := g.Answer(context.Background(), ask("r", "p"))
		if !asked.Load() { // a machine that is short of CPU time takes longer to dial than may be
			want = oracle.Completion{}
		}
		if (err == nil) != want.Usable || err == nil && (result.Text != want.Text || result.Source != service.Call) {
			t.Fatalf("got %+v, %v", result, err)
		}
		if err := g.Wait(t.Context(), toAbort); err != nil || g.ActiveFlights().Now() != 0 || w.tally.panics.Load() != 0 {
			t.Errorf("%v, %d flights, %d panics", err, g.ActiveFlights().Now(), w.tally.panics.Load())
		}
		if err := ledger.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		cost, priced := price.Of(want.Prompt, want.Answer)
		rows := w.postgres.booked()
		if want.Priced != (len(rows) == 1) || len(rows) == 1 && (!priced || rows[0].Cost != cost || rows[0].Kind != service.RowCall) || w.tally.charged.Load() != cost {
			t.Errorf("want %+v at %d, charged %d, booked %+v", want, cost, w.tally.charged.Load(), rows)
		}
		for _, s := range []*store{w.redis, w.postgres} {
			stored, is := s.answer(ask("r", "p").Key())
			if is != want.Usable || is && stored != result.Answer || s.holds(ask("r", "p").Key()) {
				t.Errorf("stored is %+v, %t", stored, is)
			}
		}
	})
}
