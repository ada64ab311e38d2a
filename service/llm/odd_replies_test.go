package llm_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sentinel-chaos/sentinel/service"
	"github.com/sentinel-chaos/sentinel/service/internal/odd"
	"github.com/sentinel-chaos/sentinel/service/internal/oracle"
	"github.com/sentinel-chaos/sentinel/service/llm"
)

// price of a token, in nano-dollars.
const pricePrompt, priceAnswer = 150, 600

// patient is a client of an odd upstream that never gives a model up, and never asks twice.
func patient(url string, timeout time.Duration) *llm.Client {
	return llm.New(llm.Options{
		URL: url, Timeout: timeout, Budget: timeout, MaxRest: time.Nanosecond, Log: slog.New(slog.DiscardHandler),
		Price: service.Price{Prompt: pricePrompt, Completion: priceAnswer}, Breaker: llm.BreakerOptions{Failures: math.MaxUint32, Open: time.Millisecond, Probes: 1},
	}, func(string) {})
}

// TestOddReplies: whatever the upstream answers, there is an answer or a refusal in time. It is the right one, for this question, at its
// price and at no other, wherever anybody can tell. FUZZ_COUNT=1000000 makes a long run of it.
func TestOddReplies(t *testing.T) {
	plan := odd.NewPlan(t, 4000)
	asked := make([]atomic.Bool, plan.Count+1)
	reply := func(n uint64) odd.Reply { return odd.NewReply(plan.Draws(n), strconv.FormatUint(n, 10)+":") }
	upstream := odd.Start(t, func(question []byte) odd.Reply {
		_, prompt, _ := strings.Cut(string(question), `"content":"`)
		prompt, _, _ = strings.Cut(prompt, `"`)
		n, _ := strconv.ParseUint(prompt, 10, 64)
		asked[n].Store(true)
		return reply(n)
	})
	const timeout, workers = 5 * time.Second, 48
	c := patient(upstream.URL, timeout)
	before := heap()
	var next, answered atomic.Uint64
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for n := next.Add(1); n <= plan.Count && !t.Failed(); n = next.Add(1) {
				if plan.Only > 0 && n != plan.Only {
					continue
				}
				r := question()
				r.Query.Prompt = strconv.FormatUint(n, 10)
				answer, err := c.Complete(context.Background(), r)
				expected := reply(n)
				if !asked[n].Load() { // a machine that is short of CPU time takes longer to dial than may be
					expected = odd.Reply{Reason: service.ReasonUpstream}
				}
				if problem := judged(answer, err).wrong(expected); problem != "" {
					t.Errorf("reply %d of seed %d: %s; got %+v, %v, of %.3000q", n, plan.Seed, problem, answer, err, expected.Raw)
				}
				if err == nil {
					answered.Add(1)
				}
			}
		})
	}
	all.Wait()
	if now := c.Active().Now(); now != 0 || len(c.Models()) > 1 {
		t.Errorf("%d active, models %q", now, c.Models())
	}
	if after := heap(); after > before+16<<20 {
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
	t.Logf("%d replies, %d of them answers; heap %d KiB, before %d KiB", next.Load()-workers, answered.Load(), heap()>>10, before>>10)
}

// heap is how many bytes are in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// outcome is what became of a question.
type outcome struct {
	answer service.Answer
	err    error
	reason string
}

func judged(answer service.Answer, err error) outcome {
	o := outcome{answer: answer, err: err}
	var u *service.Unavailable
	if errors.As(err, &u) {
		o.reason = u.Reason
		if u.RetryAfter <= 0 {
			o.reason = "refused for no time"
		}
	}
	return o
}

// wrong says what is wrong with an outcome, "" if nothing is.
func (o outcome) wrong(want odd.Reply) string {
	if problem := o.impossible(); problem != "" || want.Wild {
		return problem
	}
	switch {
	case o.reason != want.Reason:
		return fmt.Sprintf("%q, not %q", o.reason, want.Reason)
	case (o.answer.CallID != "") != want.Priced:
		return "whether it is billed"
	case !want.Priced:
		return ""
	}
	return o.differs(want.Completion)
}

// impossible says what no outcome may be.
func (o outcome) impossible() string {
	a := o.answer
	switch {
	case o.err != nil && o.reason != service.ReasonUpstream && o.reason != service.ReasonTimeout && o.reason != service.ReasonRejected:
		return "refused for a reason that is not documented"
	case o.err == nil && a.CallID == "":
		return "an answer without a name"
	case a.PromptTokens < 0 || a.CompletionTokens < 0 || a.Cost != pricePrompt*a.PromptTokens+priceAnswer*a.CompletionTokens:
		return "its price"
	case !utf8.ValidString(a.Text):
		return "its characters"
	}
	return ""
}

// differs says in what an answer, or one without a text, differs from what the upstream said.
func (o outcome) differs(want oracle.Completion) string {
	a := o.answer
	switch {
	case a.PromptTokens != want.Prompt || a.CompletionTokens != want.Answer:
		return "its tokens"
	case a.Text != want.Text && want.Usable:
		return "its text"
	case want.ID != "" && a.CallID != want.ID, want.ID == "" && !strings.HasPrefix(a.CallID, "unnamed-"):
		return "its id"
	case want.Model != "" && a.Model != want.Model, want.Model == "" && a.Model != "fake-1":
		return "its model"
	case a.Finish != want.Finish && want.Usable:
		return "why it ended"
	}
	return ""
}

// FuzzCompletion: what a body with status 200 is worth is what another reader makes of it.
func FuzzCompletion(f *testing.F) {
	for _, body := range []string{good, "", "null", "[]", `{"usage":{"prompt_tokens":1,"completion_tokens":2},"usage":null,"choices":[{"message":{}}]}`,
		`{"id":"c","usage":{"prompt_tokens":1,"completion_tokens":2,"Completion_Tokens":0},"choices":[{"message":{"content":"\ud800\u0000"},"finish_reason":"x y"},5]}`} {
		f.Add([]byte(body))
	}
	var current []byte
	var asked atomic.Bool
	c := patient(odd.Start(f, func([]byte) odd.Reply {
		asked.Store(true)
		return odd.Reply{Raw: fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(current), current)}
	}).URL, time.Minute)
	f.Fuzz(func(t *testing.T, body []byte) {
		current = body
		asked.Store(false)
		answer, err := c.Complete(t.Context(), question())
		want := odd.Reply{Completion: oracle.ReadCompletion(body), Reason: service.ReasonUpstream}
		if want.Usable {
			want.Reason = ""
		}
		if !asked.Load() { // as in TestOddReplies
			want = odd.Reply{Reason: service.ReasonUpstream}
		}
		if problem := judged(answer, err).wrong(want); problem != "" {
			t.Errorf("%s: got %+v, %v", problem, answer, err)
		}
	})
}

// FuzzReply: whatever comes over the connection in place of a response, the call ends, and is worth nothing that it cannot be.
func FuzzReply(f *testing.F) {
	ok := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(good), good)
	for _, raw := range []string{ok, ok + ok, "", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n" + ok,
		"HTTP/1.0 200 OK\r\n\r\n" + good, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"id\"\r\n0\r\n\r\n", "HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n",
		"HTTP/1.1 429 Slow\r\nRetry-After: 99999999999999999999\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 999 \r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 204 No\r\n\r\n{}"} {
		f.Add([]byte(raw))
	}
	var current []byte
	c := patient(odd.Start(f, func([]byte) odd.Reply { return odd.Reply{Raw: current, Ends: true} }).URL, time.Minute)
	f.Fuzz(func(t *testing.T, raw []byte) {
		current = raw
		began := time.Now()
		answer, err := c.Complete(t.Context(), question())
		if problem := judged(answer, err).impossible(); problem != "" || time.Since(began) > 30*time.Second || c.Active().Now() != 0 {
			t.Errorf("%s after %s: got %+v, %v", problem, time.Since(began), answer, err)
		}
	})
}
