package llm_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/sentinel-chaos/sentinel/service"
	"github.com/sentinel-chaos/sentinel/service/internal/odd"
	"github.com/sentinel-chaos/sentinel/service/internal/servers"
	"github.com/sentinel-chaos/sentinel/service/internal/settling"
	"github.com/sentinel-chaos/sentinel/service/llm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(settling.M{M: m}) }

const good = `{"id":"c1","model":"fake-1","choices":[{"message":{"role":"assistant","content":"hello"}}],
	"usage":{"prompt_tokens":2,"completion_tokens":3}}`

// outcomes counts what the client reports.
type outcomes struct {
	mu sync.Mutex
	of map[string]int
}

func (o *outcomes) count(outcome string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.of[outcome]
}

func (o *outcomes) add(outcome string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.of == nil {
		o.of = map[string]int{}
	}
	o.of[outcome]++
}

// model starts a server and a client of it.
func model(t *testing.T, o llm.Options, handle http.HandlerFunc) (*llm.Client, *outcomes) {
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	o.URL = server.URL
	return client(t, o)
}

func client(t *testing.T, o llm.Options) (*llm.Client, *outcomes) {
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	if o.Budget == 0 {
		o.Budget = 2 * o.Timeout
	}
	if o.Breaker.Failures == 0 {
		o.Breaker = llm.BreakerOptions{Failures: 100, Open: time.Minute, Probes: 1}
	}
	if o.MaxRest == 0 {
		o.MaxRest = time.Minute
	}
	o.Log = slog.New(slog.DiscardHandler)
	o.Price = service.Price{Prompt: 150, Completion: 600}
	seen := &outcomes{}
	return llm.New(o, seen.add), seen
}

func question() service.Request {
	return service.Request{ID: "r1", Tenant: "acme", Query: service.Query{Model: "fake-1", Prompt: "hi", MaxTokens: 8}}
}

func reason(err error) string {
	var u *service.Unavailable
	if errors.As(err, &u) {
		return u.Reason
	}
	return fmt.Sprint(err)
}

func TestQuestionAndAnswer(t *testing.T) {
	c, _ := model(t, llm.Options{}, func(w http.ResponseWriter, r *http.Request) {
		var got struct {
			Model, User string
			Messages    []struct{ Role, Content string }
			MaxTokens   int `json:"max_tokens"`
		}
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		if got.Model != "fake-1" || got.User != "acme" || got.MaxTokens != 8 || len(got.Messages) != 1 ||
			got.Messages[0].Content != "hi" || r.Header.Get("X-Request-Id") != "r1" {
			t.Errorf("the model was asked %+v", got)
		}
		_, _ = io.WriteString(w, good)
	})
	got, err := c.Complete(t.Context(), question())
	want := service.Answer{CallID: "c1", Text: "hello", Model: "fake-1", PromptTokens: 2, CompletionTokens: 3, Cost: 2*150 + 3*600}
	if err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
}

// A question is as long for the model as it is for its client, whatever characters are in it.
func TestQuestionIsNotMadeLonger(t *testing.T) {
	prompt := strings.Repeat("<&>", 1000)
	c, _ := model(t, llm.Options{}, func(w http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err != nil || !strings.Contains(string(body), prompt) {
			t.Errorf("%d bytes, %v", len(body), err)
		}
		_, _ = io.WriteString(w, good)
	})
	r := question()
	r.Query.Prompt = prompt
	if _, err := c.Complete(t.Context(), r); err != nil {
		t.Error(err)
	}
}

// What is well-formed and odd is an answer if it tells what it costs; what tells no text has its cost told beside the error.
func TestOddAnswers(t *testing.T) {
	const used, cost = `"usage":{"prompt_tokens":2,"completion_tokens":3}`, 2*150 + 3*600
	said := func(message string) string { return `{"id":"c","choices":[{"message":` + message + `}],` + used + `}` }
	named := func(id string) string {
		return `{` + id + `"model":"fake-1","choices":[{"message":{"content":"x"}}],` + used + `}`
	}
	usage := func(usage string) string { return `{"id":"c","choices":[{"message":{"content":"x"}}]` + usage + `}` }
	long := strings.Repeat("x", 8000)
	tests := []struct {
		name, response string
		want           service.Answer // without the tokens
		outcome        string
	}{
		{"empty text", said(`{"content":""}`), service.Answer{CallID: "c"}, "ok"},
		{"no text", said(`{"content":null}`), service.Answer{CallID: "c"}, "ok"},
		{"text is left out", said(`{"role":"assistant"}`), service.Answer{CallID: "c"}, "ok"},
		{"why it ended", `{"id":"c","choices":[{"finish_reason":"length","message":{"content":""}}],` + used + `}`, service.Answer{CallID: "c", Finish: "length"}, "ok"},
		{"NUL", said(`{"content":"a\u0000b"}`), service.Answer{CallID: "c", Text: "a\x00b"}, "ok"},
		{"half of a surrogate pair", said(`{"content":"a\ud800b"}`), service.Answer{CallID: "c", Text: "a\ufffdb"}, "ok"},
		{"two choices", `{"id":"c","choices":[{"message":{"content":"x"}},{"message":{"content":"y"}}],` + used + `}`, service.Answer{CallID: "c", Text: "x"}, "ok"},
		{"unknown fields", `{"id":"c","x":{},"choices":[{"x":1,"message":{"content":"x","x":[]}}],` + used + `}`, service.Answer{CallID: "c", Text: "x"}, "ok"},
		{"no id", named(``), service.Answer{CallID: "unnamed", Text: "x"}, "ok"},
		{"empty id", named(`"id":"",`), service.Answer{CallID: "unnamed", Text: "x"}, "ok"},
		{"id is a number", named(`"id":7,`), service.Answer{CallID: "unnamed", Text: "x"}, "ok"},
		{"NUL in the id", named(`"id":"c\u0000",`), service.Answer{CallID: "unnamed", Text: "x"}, "ok"},
		{"space in the id", named(`"id":"c d",`), service.Answer{CallID: "unnamed", Text: "x"}, "ok"},
		{"longest id", named(`"id":"` + long[:128] + `",`), service.Answer{CallID: long[:128], Text: "x"}, "ok"},
		{"endless id", named(`"id":"` + long + `",`), service.Answer{CallID: "unnamed", Text: "x"}, "ok"},
		{"NUL in the model", `{"id":"c","model":"m\u0000","choices":[{"message":{"content":"x"}}],` + used + `}`, service.Answer{CallID: "c", Text: "x"}, "ok"},
		{"most tokens", usage(`,"usage":{"prompt_tokens":0,"completion_tokens":10000000}`), service.Answer{CallID: "c", Text: "x"}, "ok"},
		{"more tokens", usage(`,"usage":{"prompt_tokens":0,"completion_tokens":10000001}`), service.Answer{}, "unusable"},
		{"enormous usage", usage(`,"usage":{"prompt_tokens":9223372036854775807,"completion_tokens":3}`), service.Answer{}, "unusable"},
		{"a sum that overflows", usage(`,"usage":{"prompt_tokens":2,"completion_tokens":4611686018427387904}`), service.Answer{}, "unusable"},
		{"a sum that is negative", usage(`,"usage":{"prompt_tokens":2,"completion_tokens":15372286728091294}`), service.Answer{}, "unusable"},
		{"no int64", usage(`,"usage":{"prompt_tokens":2,"completion_tokens":1e30}`), service.Answer{}, "unusable"},
		{"negative usage", usage(`,"usage":{"prompt_tokens":-1,"completion_tokens":3}`), service.Answer{}, "unusable"},
		{"half a token", usage(`,"usage":{"prompt_tokens":2,"completion_tokens":1.5}`), service.Answer{}, "unusable"},
		{"no usage", usage(``), service.Answer{}, "unusable"},
		{"usage is null", usage(`,"usage":null`), service.Answer{}, "unusable"},
		{"usage is empty", usage(`,"usage":{}`), service.Answer{}, "unusable"},
		{"usage of the answer alone", usage(`,"usage":{"completion_tokens":3}`), service.Answer{}, "unusable"},
		{"usage of the question alone", usage(`,"usage":{"prompt_tokens":3}`), service.Answer{}, "unusable"},
		{"usage in total alone", usage(`,"usage":{"total_tokens":3}`), service.Answer{}, "unusable"},
		{"no choice", `{"id":"c","choices":[],` + used + `}`, service.Answer{CallID: "c"}, "unusable"},
		{"choices are null", `{"id":"c","choices":null,` + used + `}`, service.Answer{CallID: "c"}, "unusable"},
		{"no message", `{"id":"c","choices":[{}],` + used + `}`, service.Answer{CallID: "c"}, "unusable"},
		{"two usages", usage(`,"usage":{"prompt_tokens":2,"completion_tokens":3},"usage":{"prompt_tokens":0,"completion_tokens":0}`), service.Answer{}, "unusable"},
		{"usage in another case", usage(`,"Usage":{"prompt_tokens":0,"completion_tokens":0}`), service.Answer{}, "unusable"},
		{"a usage with one in another case", usage(`,` + used + `,"USAGE":{"prompt_tokens":0,"completion_tokens":0}`), service.Answer{CallID: "c", Text: "x"}, "ok"},
		{"a number of tokens twice", usage(`,"usage":{"prompt_tokens":2,"completion_tokens":3,"completion_tokens":0}`), service.Answer{}, "unusable"},
		{"two texts", said(`{"content":"x","content":"y"}`), service.Answer{CallID: "c"}, "ok"},
		{"two lists of choices", `{"id":"c","choices":[{"message":{"content":"x"}}],"choices":[{"message":{"content":"y"}}],` + used + `}`, service.Answer{CallID: "c"}, "unusable"},
		{"two ids", `{"id":"c","id":"d","choices":[{"message":{"content":"x"}}],` + used + `}`, service.Answer{CallID: "unnamed", Text: "x"}, "ok"},
		{"text is no text", said(`{"content":["x"]}`), service.Answer{CallID: "c"}, "unusable"},
		{"too long", said(`{"content":"` + strings.Repeat("x", 4<<20) + `"}`), service.Answer{}, "unusable"},
		{"neither choices nor usage", `{"id":"c"}`, service.Answer{}, "malformed"},
		{"a list", `[]`, service.Answer{}, "malformed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, seen := model(t, llm.Options{}, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, test.response) })
			got, err := c.Complete(t.Context(), question())
			if test.want.CallID == "unnamed" && strings.HasPrefix(got.CallID, "unnamed-") && len(got.CallID) <= 128 {
				got.CallID = test.want.CallID
			}
			if test.want.CallID != "" {
				test.want.Model = "fake-1"
				test.want.PromptTokens, test.want.CompletionTokens, test.want.Cost = 2, 3, cost
			}
			if test.name == "most tokens" {
				test.want.PromptTokens, test.want.CompletionTokens, test.want.Cost = 0, 10_000_000, 6_000_000_000
			}
			if got != test.want || seen.count(test.outcome) != 1 || (err == nil) != (test.outcome == "ok") {
				t.Errorf("got %+v, %v; outcomes %v", got, err, seen.of)
			}
			if err != nil && reason(err) != service.ReasonUpstream {
				t.Errorf("got %v", err)
			}
		})
	}
}

// An answer that is of no use to one tenant does not get the others refused, however often it comes.
func TestUnusableAnswersOpenNoBreaker(t *testing.T) {
	c, seen := model(t, llm.Options{Breaker: llm.BreakerOptions{Failures: 1, Open: time.Hour, Probes: 1}}, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"id":"c","choices":[{"message":{"content":"x"}}]}`)
	})
	for range 6 {
		_, _ = c.Complete(t.Context(), question())
	}
	if c.BreakerState() != 0 || seen.count("unusable") != 6 {
		t.Errorf("breaker %d, outcomes %v", c.BreakerState(), seen.of)
	}
}

// Whoever the model sends the question on to is not asked.
func TestRedirectsAreNotFollowed(t *testing.T) {
	for _, code := range []int{301, 302, 303, 307, 308} {
		var elsewhere atomic.Int32
		other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			elsewhere.Add(1)
			_, _ = io.WriteString(w, good)
		}))
		t.Cleanup(other.Close)
		c, seen := model(t, llm.Options{}, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, code) })
		if _, err := c.Complete(t.Context(), question()); reason(err) != service.ReasonUpstream || elsewhere.Load() != 0 || seen.count("status") != 1 {
			t.Errorf("%d: %v, the other server was asked %d times, outcomes %v", code, err, elsewhere.Load(), seen.of)
		}
	}
}

// What is not a whole and right answer is an error, and asked for again only if it certainly was none.
func TestFailures(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	body := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
	}
	tests := []struct {
		name    string
		first   http.HandlerFunc
		reason  string
		outcome string
		asked   int32 // 2: the first failure was certain, and the second attempt brings the answer
	}{
		{"500", status(500), "", "status", 2},
		{"503", status(503), "", "status", 2},
		{"429", status(429), "", "status", 2},
		{"400", status(400), service.ReasonRejected, "rejected", 1},
		{"no JSON", body("Sorry"), service.ReasonUpstream, "malformed", 1},
		{"half an answer", body(good[:len(good)/2]), service.ReasonUpstream, "malformed", 1},
		{"204", status(204), service.ReasonUpstream, "status", 1},
		{"304", status(304), service.ReasonUpstream, "status", 1},
		{"cut short", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(good)))
			_, _ = io.WriteString(w, good[:20])
		}, service.ReasonUpstream, "broken", 1},
		{"reset", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, service.ReasonUpstream, "broken", 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var asked atomic.Int32
			c, seen := model(t, llm.Options{}, func(w http.ResponseWriter, r *http.Request) {
				if asked.Add(1) > 1 {
					_, _ = io.WriteString(w, good)
					return
				}
				test.first(w, r)
			})
			answer, err := c.Complete(t.Context(), question())
			if test.reason == "" && (err != nil || answer.CallID != "c1") || test.reason != "" && reason(err) != test.reason {
				t.Errorf("got %+v, %v", answer, err)
			}
			if asked.Load() != test.asked || seen.of[test.outcome] != 1 {
				t.Errorf("asked %d times, outcomes %v", asked.Load(), seen.of)
			}
			if c.Active().Now() != 0 || c.Active().HighWater() != 1 {
				t.Errorf("%d active, at most %d", c.Active().Now(), c.Active().HighWater())
			}
		})
	}
}

// What makes the connection its body has no end of its own: it takes no longer than any other status.
func TestAnswerThatTakesTheConnection(t *testing.T) {
	c, seen := model(t, llm.Options{Timeout: 10 * time.Second}, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
		_, _ = io.Copy(io.Discard, conn) // until the client ends it
	})
	if _, err := c.Complete(t.Context(), question()); reason(err) != service.ReasonUpstream || seen.count("status") != 1 {
		t.Errorf("got %v, outcomes %v", err, seen.of)
	}
}

// A status is known before its body is there, and so is the pause that it asks for, which is longer than the budget.
func TestStatusWhoseBodyNeverEnds(t *testing.T) {
	c, seen := model(t, llm.Options{Timeout: time.Minute, Budget: time.Minute + 6*time.Second}, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // else the server does not see who leaves
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusTooManyRequests)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	_, err := c.Complete(t.Context(), question())
	var u *service.Unavailable
	if !errors.As(err, &u) || u.RetryAfter != 7*time.Second || seen.count("status") != 1 {
		t.Errorf("got %v, outcomes %v", err, seen.of)
	}
}

// What comes behind an answer is no answer to the next question, which another tenant may have asked.
func TestSurplusAnswersAreNobodys(t *testing.T) {
	upstream := odd.Start(t, func(question []byte) odd.Reply {
		_, prompt, _ := strings.Cut(string(question), `"content":"`)
		prompt, _, _ = strings.Cut(prompt, `"`)
		answer := strings.Replace(good, "hello", prompt, 1)
		answer = fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(answer), answer)
		return odd.Reply{Raw: []byte(answer + answer)}
	})
	c, _ := client(t, llm.Options{URL: upstream.URL})
	var all sync.WaitGroup
	for asker := range 16 {
		all.Go(func() {
			for i := range 300 {
				r := question()
				r.Query.Prompt = fmt.Sprintf("%d of %d", i, asker)
				if got, err := c.Complete(context.Background(), r); err != nil || got.Text != r.Query.Prompt {
					t.Errorf("asked %q: %q, %v", r.Query.Prompt, got.Text, err)
					return
				}
			}
		})
	}
	all.Wait()
}

// Where the server ends connections that it has not said it would end, no question is lost.
func TestConnectionsThatTheServerEnds(t *testing.T) {
	c, _ := client(t, llm.Options{URL: odd.Start(t, func([]byte) odd.Reply {
		return odd.Reply{Raw: fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(good), good), Ends: true}
	}).URL})
	for i := range 300 {
		if _, err := c.Complete(t.Context(), question()); err != nil {
			t.Fatalf("question %d: %v", i, err)
		}
	}
}

// The transport must not send a question twice on its own account.
func TestTransportNeverRepeatsAQuestion(t *testing.T) {
	var asked atomic.Int32
	c, _ := model(t, llm.Options{}, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if asked.Add(1) == 1 {
			_, _ = io.WriteString(w, good)
			return
		}
		panic(http.ErrAbortHandler)
	})
	if _, err := c.Complete(t.Context(), question()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Complete(t.Context(), question()); reason(err) != service.ReasonUpstream || asked.Load() != 2 {
		t.Errorf("asked %d times, got %v", asked.Load(), err)
	}
}

// The time of a bubble stands while somebody in it waits for the network, so that the budget is spent on pauses alone.
func TestNobodyListens(t *testing.T) {
	addr, _ := servers.FreeAddr(t)
	synctest.Test(t, func(t *testing.T) {
		c, seen := client(t, llm.Options{URL: "http://" + addr, Timeout: 200 * time.Millisecond, Budget: 400 * time.Millisecond})
		_, err := c.Complete(t.Context(), question())
		if reason(err) != service.ReasonUpstream || seen.of["unreached"] < 2 {
			t.Errorf("got %v, outcomes %v; want it tried again", err, seen.of)
		}
	})
}

func TestTimeoutIsNotRepeated(t *testing.T) {
	release := make(chan struct{})
	c, seen := model(t, llm.Options{Timeout: 50 * time.Millisecond, Budget: time.Minute}, func(http.ResponseWriter, *http.Request) { <-release })
	_, err := c.Complete(t.Context(), question())
	close(release)
	if reason(err) != service.ReasonTimeout || seen.of["timeout"] != 1 || len(seen.of) != 1 {
		t.Errorf("got %v, outcomes %v", err, seen.of)
	}
}

// Both forms of Retry-After count, up to a bound; what is neither asks for nothing.
func TestRetryAfterBeyondTheBudgetIsPassedOn(t *testing.T) {
	const most = 5 * time.Minute
	began := time.Now()
	in := func(d time.Duration) string { return began.Add(d).UTC().Format(http.TimeFormat) }
	tests := []struct {
		name, retryAfter string
		date             string        // of the response; "" for the server's own
		least, longest   time.Duration // less what has passed since the test began; dates are in whole seconds
	}{
		{"seconds", "130", "", 130 * time.Second, 130 * time.Second},
		{"an hour", "3600", "", most, most},
		{"more than a duration holds", "9223372036854775807", "", most, most},
		{"more than a number holds", "99999999999999999999", "", most, most},
		{"a date", in(130 * time.Second), "", 129 * time.Second, 131 * time.Second},
		{"a date by another clock", in(time.Hour + 130*time.Second), in(time.Hour), 129 * time.Second, 131 * time.Second},
		{"a date far off", in(24 * time.Hour), "", most, most},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, _ := model(t, llm.Options{MaxRest: most}, func(w http.ResponseWriter, _ *http.Request) {
				if test.date != "" {
					w.Header().Set("Date", test.date)
				}
				w.Header().Set("Retry-After", test.retryAfter)
				w.WriteHeader(http.StatusTooManyRequests)
			})
			_, err := c.Complete(t.Context(), question())
			var u *service.Unavailable
			if !errors.As(err, &u) || u.RetryAfter < test.least-time.Since(began) || u.RetryAfter > test.longest {
				t.Errorf("got %v, %v", u, err)
			}
			held := c.HeldBack()
			if len(held) != 1 || held[0].Why != service.HeldBackAsked {
				t.Fatalf("held back: %+v", held)
			}
			if until := time.Until(held[0].Until); until < test.least-time.Second-time.Since(began) || until > test.longest {
				t.Errorf("calls are held back for %s", until)
			}
		})
	}
}

func TestRetryAfterThatAsksForNothing(t *testing.T) {
	past := time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)
	for _, nothing := range []string{"", "0", "-1", "1.5", "soon", past} {
		var asked atomic.Int32
		c, _ := model(t, llm.Options{}, func(w http.ResponseWriter, _ *http.Request) {
			if asked.Add(1) > 1 {
				_, _ = io.WriteString(w, good)
				return
			}
			w.Header().Set("Retry-After", nothing)
			w.WriteHeader(http.StatusTooManyRequests)
		})
		if _, err := c.Complete(t.Context(), question()); err != nil || len(c.HeldBack()) != 0 {
			t.Errorf("%q: %v", nothing, err)
		}
	}
}

// A request's time bounds the attempts as the budget does: one that could not end in it is not made.
func TestNothingIsRepeatedBeyondTheRequestsTime(t *testing.T) {
	const timeout = time.Minute // no attempt takes so long
	for _, test := range []struct {
		left time.Duration
		want int
	}{{timeout, 1}, {timeout + 30*time.Second, 2}} {
		c, seen := model(t, llm.Options{Timeout: timeout, Budget: 2 * timeout}, func() http.HandlerFunc {
			var asked atomic.Int32
			return func(w http.ResponseWriter, _ *http.Request) {
				if asked.Add(1) > 1 {
					_, _ = io.WriteString(w, good)
					return
				}
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}())
		r := question()
		r.Until = time.Now().Add(test.left)
		_, err := c.Complete(t.Context(), r)
		if got := seen.count("status") + seen.count("ok"); got != test.want || (err == nil) != (test.want == 2) {
			t.Errorf("with %s left: %d attempts and %v, want %d", test.left, got, err, test.want)
		}
	}
}

// Whoever tries again does so no sooner than the model asked, and nobody else calls it before. The client is in a bubble, whose time stands
// while somebody in it waits for the network, and the model is outside.
func TestRetryAfterIsKept(t *testing.T) {
	const asked = time.Second
	var calls atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if calls.Add(1) > 1 {
			_, _ = io.WriteString(w, good)
			return
		}
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(server.Close)
	synctest.Test(t, func(t *testing.T) {
		c, _ := client(t, llm.Options{URL: server.URL})
		first := make(chan error, 1)
		began := time.Now()
		go func() {
			_, err := c.Complete(t.Context(), question())
			first <- err
		}()
		synctest.Wait() // until it was told of the pause, and keeps it
		for range 10 {
			time.Sleep(asked / 20)
			var u *service.Unavailable
			if _, err := c.Complete(t.Context(), question()); !errors.As(err, &u) || u.Reason != service.ReasonBreaker || u.RetryAfter <= 0 || u.RetryAfter > asked {
				t.Fatalf("another got %v", err)
			}
		}
		if n := calls.Load(); n != 1 {
			t.Errorf("%d calls before the pause was over", n)
		}
		if err := <-first; err != nil {
			t.Errorf("the first: %v", err)
		}
		if took := time.Since(began); calls.Load() != 2 || took < asked {
			t.Errorf("%d calls, the second after %s", calls.Load(), took)
		}
	})
}

func TestCallersEndIsNoFailureOfTheModel(t *testing.T) {
	arrived := make(chan struct{}, 10)
	c, seen := model(t, llm.Options{Breaker: llm.BreakerOptions{Failures: 1, Open: time.Minute, Probes: 1}},
		func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			arrived <- struct{}{}
			<-r.Context().Done()
		})
	for range 3 {
		ctx, hangUp := context.WithCancel(t.Context())
		go func() {
			<-arrived
			hangUp()
		}()
		if _, err := c.Complete(ctx, question()); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
	if c.BreakerState() != 0 || seen.of["aborted"] != 3 {
		t.Errorf("breaker %d, outcomes %v", c.BreakerState(), seen.of)
	}
}

func TestOpenBreakerSparesTheModel(t *testing.T) {
	var asked atomic.Int32
	c, _ := model(t, llm.Options{Breaker: llm.BreakerOptions{Failures: 1, Open: time.Hour, Probes: 1}},
		func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			_, _ = io.WriteString(w, "nonsense")
		})
	_, _ = c.Complete(t.Context(), question())
	_, err := c.Complete(t.Context(), question())
	var u *service.Unavailable
	if !errors.As(err, &u) || u.Reason != service.ReasonBreaker || u.RetryAfter <= 0 || asked.Load() != 1 {
		t.Errorf("asked %d times, got %v", asked.Load(), err)
	}
	if held := c.HeldBack(); c.BreakerState() != 2 || len(held) != 1 || held[0].Tenants != 1 || held[0].Why != service.HeldBackFails {
		t.Errorf("state %d, held back: %+v; want it to be open, and from one tenant alone", c.BreakerState(), held)
	}
}
