package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/service/internal/servers"
)

// echo is a model that answers with the tenant who asks and the question, and gives each call a name of its own.
type echo struct {
	takes   time.Duration
	asked   chan<- struct{} // told of each question, unless it is nil
	release <-chan struct{} // closed when questions may be answered; nil if they may at once
	mu      sync.Mutex
	made    int             // calls
	done    map[string]bool // names of those that were answered to the end
}

// longQuestion begins questions whose answers are longer than the buffers of two sockets, and pauseQuestion those for which the model asks for a
// pause in place of an answer.
const (
	longQuestion  = "long"
	pauseQuestion = "pause"
	longAnswer    = 3 << 20
)

func (m *echo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		User     string
		Messages []struct{ Content string }
	}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || len(asked.Messages) != 1 {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	question := asked.Messages[0].Content
	if strings.HasPrefix(question, pauseQuestion) {
		w.Header().Set("Retry-After", "30") // longer than a query waits
		w.WriteHeader(http.StatusTooManyRequests)
		return
	}
	if m.asked != nil {
		m.asked <- struct{}{}
	}
	released := m.release
	if released == nil {
		at := make(chan struct{})
		time.AfterFunc(m.takes, func() { close(at) })
		released = at
	}
	select {
	case <-released:
	case <-r.Context().Done():
		return
	}
	call, text := m.name(), asked.User+": "+question
	if strings.HasPrefix(question, longQuestion) {
		text += strings.Repeat("x", longAnswer)
	}
	answer, _ := json.Marshal(map[string]any{"id": call, "model": "m", "choices": []any{map[string]any{"message": map[string]string{"content": text}}},
		"usage": map[string]int{"prompt_tokens": 1, "completion_tokens": 2}})
	if _, err := w.Write(answer); err == nil && r.Context().Err() == nil {
		m.answered(call)
	}
}

func (m *echo) name() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.made++
	return fmt.Sprint("call-", m.made)
}

func (m *echo) answered(call string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.done == nil {
		m.done = make(map[string]bool)
	}
	m.done[call] = true
}

// calls are the names of those that were answered.
func (m *echo) calls() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Keys(m.done))
}

// asks is the body of a query.
func asks(prompt string) string {
	body, _ := json.Marshal(map[string]any{"model": "m", "prompt": prompt, "max_tokens": 8}) // of texts and a number
	return string(body)
}

// newClient is one that asks at an address, over connections of its own.
func newClient(t testing.TB, addr string) client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return client{t, "http://" + addr, &http.Client{Transport: transport}}
}

// administrator is the token of the gateways of tests: with letters of both cases, so that they matter.
const administrator = "Token-Of-The-Administrator"

// served is a gateway before real stores that is ready.
type served struct {
	app       *app
	config    Config
	log       *syncLog
	clients   client
	operators client // the same, unless administration has a listener of its own
	redis     *servers.Redis
	dsn       string
	end       func() // sends SIGTERM and wants a clean end, once
}

// serving starts a gateway before real stores, and waits until it is ready. It ends with the test, and must end clean and without a panic.
func serving(t testing.TB, model http.Handler, change func(*Config)) *served {
	t.Helper()
	s := &served{redis: servers.StartRedis(t), dsn: servers.StartPostgres(t), log: &syncLog{}}
	s.config = configured(t)
	unhurried(&s.config)
	s.config.LLMURL = upstream(t, model)
	s.config.PostgresDSN, s.config.RedisSentinels, s.config.Drain = s.dsn, []string{s.redis.Sentinel.Addr}, 0
	change(&s.config)
	s.start(t)
	return s
}

// upstream serves a model, and returns its address.
func upstream(t testing.TB, model http.Handler) (url string) {
	t.Helper()
	llm := httptest.NewServer(model)
	t.Cleanup(llm.Close)
	return llm.URL
}

// configured is the configuration of a gateway that has no stores and no model yet.
func configured(t testing.TB) Config {
	t.Helper()
	required(t)
	c, err := loadConfig()
	if err != nil {
		t.Fatal(err)
	}
	c.Listen, c.AdminToken = nobody(t), administrator
	return c
}

// unhurried gives stores and the model time, on however slow a machine, and answers a long life, for tests of what becomes of requests and not of
// when. The budgets by default are for clients who would rather be refused than wait.
func unhurried(c *Config) {
	c.RedisBudget, c.PostgresBudget, c.Lease = 3*time.Second, 3*time.Second, 20*time.Second
	c.LLMTimeout, c.LLMBudget, c.RequestTimeout = 10*time.Second, 20*time.Second, time.Minute
	c.CacheTTL = time.Hour // no hit becomes a miss
}

func (s *served) start(t testing.TB) {
	t.Helper()
	app, sigterm, stopped := running(t, s.config, slog.New(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	s.end = sync.OnceFunc(func() {
		sigterm()
		if err := <-stopped; err != nil {
			t.Errorf("stopped with %v", err)
		}
		if strings.Contains(s.log.String(), "panic") {
			t.Errorf("it panicked:\n%s", s.log)
		}
	})
	t.Cleanup(s.end)
	s.app, s.clients = app, newClient(t, s.config.Listen)
	s.operators = s.clients
	if s.config.AdminListen != "" {
		s.operators = newClient(t, s.config.AdminListen)
	}
	s.operators.awaitStatus("the gateway is ready", http.StatusOK)
}

// key issues an API key.
func (s *served) key(t testing.TB, tenant string) string {
	t.Helper()
	return s.operators.issue(tenant)
}

// issue is what an administrator does for a tenant.
func (c client) issue(tenant string) string {
	status, issued := c.send("POST", "/v1/admin/keys", administrator, fmt.Sprintf(`{"tenant":%q}`, tenant))
	key, _ := issued["api_key"].(string)
	if status != http.StatusCreated || key == "" {
		c.t.Fatalf("no key was issued: %d, %v", status, issued)
	}
	return key
}

// store has the answer to a question stored for a key's tenant.
func (s *served) store(t testing.TB, key, prompt string) {
	t.Helper()
	servers.Await(t, "the answer is stored", func(context.Context) error {
		if status, got := s.clients.send("POST", "/v1/query", key, asks(prompt)); status != http.StatusOK || got["source"] != "hit" {
			return fmt.Errorf("status %d, %v", status, got["error"])
		}
		return nil
	})
}

// atRest waits until nothing is being answered.
func (s *served) atRest(t testing.TB) {
	t.Helper()
	servers.Await(t, "nothing is being answered", func(context.Context) error {
		if now := s.app.api.Active().Now(); now > 0 {
			return fmt.Errorf("%d are", now)
		}
		return nil
	})
}

// stored is the question whose answer a known key asks for while others attack.
const stored = "what everybody knows"

// hits has a known key ask for a stored answer time and again, over connections of its own, until it is told to stop. Then it returns how long
// each took, in order. None may be refused.
func (s *served) hits(t testing.TB, from client, key string, pause time.Duration) (stop func() []time.Duration) {
	ctx, end := context.WithCancel(t.Context())
	var took []time.Duration
	var asking sync.WaitGroup
	asking.Go(func() {
		for ctx.Err() == nil {
			took = append(took, s.hit(t, from, key))
			sleep(ctx, pause)
		}
	})
	stop = sync.OnceValue(func() []time.Duration {
		end()
		asking.Wait()
		return took
	})
	t.Cleanup(func() { stop() })
	return stop
}

// hit asks once.
func (s *served) hit(t testing.TB, from client, key string) time.Duration {
	asked := time.Now()
	status, got := from.send("POST", "/v1/query", key, asks(stored))
	took := time.Since(asked)
	if answer, _ := got["answer"].(string); (status != http.StatusOK || !strings.HasSuffix(answer, stored) || got["source"] == "call") && t.Context().Err() == nil {
		t.Errorf("a hit of a known key got %d, %v", status, got)
	}
	return took
}

func sleep(ctx context.Context, length time.Duration) {
	select {
	case <-time.After(length):
	case <-ctx.Done():
	}
}
