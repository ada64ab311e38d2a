package llm_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sentinel-chaos/sentinel/service"
	"github.com/sentinel-chaos/sentinel/service/llm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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
	o.Price = service.Price{Prompt: 150, Completion: 600}
	seen := &outcomes{}
	c := llm.New(o, seen.add)
	t.Cleanup(c.Close)
	return c, seen
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
		{"no id", body(`{"choices":[{"message":{"content":"x"}}],"usage":{}}`), service.ReasonUpstream, "malformed", 1},
		{"no text", body(`{"id":"c","choices":[],"usage":{}}`), service.ReasonUpstream, "malformed", 1},
		{"no usage", body(`{"id":"c","choices":[{"message":{"content":"x"}}]}`), service.ReasonUpstream, "malformed", 1},
		{"negative usage", body(`{"id":"c","choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":-1}}`),
			service.ReasonUpstream, "malformed", 1},
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

// A connection that the server closed while it was idle must not make the transport send a question twice.
func TestTransportNeverRepeatsAQuestion(t *testing.T) {
	var asked atomic.Int32
	c, _ := model(t, llm.Options{}, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if asked.Add(1) == 1 {
			_, _ = io.WriteString(w, good)
			return
		}
		panic(http.ErrAbortHandler) // on the reused connection, after the question was read
	})
	if _, err := c.Complete(t.Context(), question()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Complete(t.Context(), question()); reason(err) != service.ReasonUpstream || asked.Load() != 2 {
		t.Errorf("asked %d times, got %v", asked.Load(), err)
	}
}

func TestNobodyListens(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	c, seen := client(t, llm.Options{URL: "http://" + listener.Addr().String(), Timeout: 200 * time.Millisecond, Budget: 400 * time.Millisecond})
	_, err = c.Complete(t.Context(), question())
	if reason(err) != service.ReasonUpstream || seen.of["unreached"] < 2 {
		t.Errorf("got %v, outcomes %v; want it tried again", err, seen.of)
	}
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

func TestRetryAfterBeyondTheBudgetIsPassedOn(t *testing.T) {
	c, _ := model(t, llm.Options{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	_, err := c.Complete(t.Context(), question())
	var u *service.Unavailable
	if !errors.As(err, &u) || u.RetryAfter != time.Hour {
		t.Errorf("got %v", err)
	}
}

// A request's time bounds the attempts as the budget does: one that could not end in it is not made.
func TestNothingIsRepeatedBeyondTheRequestsTime(t *testing.T) {
	const timeout = time.Second
	for _, test := range []struct {
		left time.Duration
		want int
	}{{timeout, 1}, {timeout + 30*time.Second, 2}} {
		c, seen := model(t, llm.Options{Timeout: timeout, Budget: time.Minute}, func() http.HandlerFunc {
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

// Whoever tries again does so no sooner than the model asked, and nobody else calls it before.
func TestRetryAfterIsKept(t *testing.T) {
	const asked = time.Second
	var mu sync.Mutex
	var calls []time.Time
	c, seen := model(t, llm.Options{}, func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if calls = append(calls, time.Now()); len(calls) > 1 {
			_, _ = io.WriteString(w, good)
			return
		}
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	first := make(chan error, 1)
	go func() {
		_, err := c.Complete(t.Context(), question())
		first <- err
	}()
	for seen.count("status") == 0 {
		time.Sleep(time.Millisecond)
	}
	var u *service.Unavailable
	for end := time.Now().Add(asked / 2); time.Now().Before(end); {
		time.Sleep(50 * time.Millisecond) // the first time, for the breaker to hear of the outcome
		if _, err := c.Complete(t.Context(), question()); err != nil && (!errors.As(err, &u) || u.Reason != service.ReasonBreaker || u.RetryAfter <= 0 || u.RetryAfter > asked) {
			t.Fatalf("got %v", err)
		}
	}
	if err := <-first; err != nil || u == nil {
		t.Errorf("the first: %v; others: %v", err, u)
	}
	if gap := calls[1].Sub(calls[0]); len(calls) != 2 || gap < asked {
		t.Errorf("%d calls, the second after %s", len(calls), gap)
	}
}

func TestAbsurdRetryAfterIsNone(t *testing.T) {
	var asked atomic.Int32
	c, _ := model(t, llm.Options{}, func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) > 1 {
			_, _ = io.WriteString(w, good)
			return
		}
		w.Header().Set("Retry-After", "9223372036854775807")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	if _, err := c.Complete(t.Context(), question()); err != nil {
		t.Error(err)
	}
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
	if c.BreakerState() != 2 {
		t.Errorf("state %d", c.BreakerState())
	}
}
