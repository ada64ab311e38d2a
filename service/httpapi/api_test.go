package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sentinel-chaos/sentinel/service"
	"github.com/sentinel-chaos/sentinel/service/httpapi"
	"github.com/sentinel-chaos/sentinel/service/internal/settling"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(settling.M{M: m}) }

// pipeline answers with a function.
type pipeline func(ctx context.Context, r service.Request) (service.Result, error)

func (p pipeline) Answer(ctx context.Context, r service.Request) (service.Result, error) {
	return p(ctx, r)
}

// ring knows one key.
type ring struct{ err error }

func (r ring) Authenticate(_ context.Context, key string) (service.Identity, error) {
	switch {
	case r.err != nil:
		return service.Identity{}, r.err
	case key == "good":
		return service.Identity{Tenant: "acme", KeyID: "7"}, nil
	}
	return service.Identity{}, service.ErrUnauthorized
}

func (r ring) Issue(_ context.Context, tenant string) (string, string, error) {
	return "sk-for-" + tenant, "7", r.err
}

func (r ring) Revoke(_ context.Context, id string) error {
	if id != "7" {
		return service.ErrNoKey
	}
	return r.err
}

func (r ring) List(_ context.Context, tenant string) ([]service.Key, error) {
	made := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	keys := []service.Key{{ID: "8", Tenant: "globex", Created: made}, {ID: "7", Tenant: "acme", Created: made, Revoked: made.Add(time.Hour)}}
	return slices.DeleteFunc(keys, func(k service.Key) bool { return tenant != "" && k.Tenant != tenant }), r.err
}

type count struct {
	route string
	code  int
}

// meter remembers what was counted.
type meter struct {
	mu     sync.Mutex
	seen   []count
	panics int
}

func (m *meter) Served(route string, code int, _ time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen = append(m.seen, count{route, code})
}

func (m *meter) all() []count {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.seen)
}

func (m *meter) Panicked() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.panics++
}

// anywhere limits addresses with a function, or not at all.
type anywhere func(client netip.Addr) error

func (a anywhere) AdmitAddress(_ context.Context, client netip.Addr) error {
	if a == nil {
		return nil
	}
	return a(client)
}

// serve has an API answer, and returns what it sent. Of a client that has gone the connection is ended.
func serve(a http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	defer func() {
		if ended := recover(); ended != nil && ended != http.ErrAbortHandler {
			panic(ended)
		}
	}()
	a.ServeHTTP(w, r)
	return w
}

func newAPI(p pipeline, change ...func(*httpapi.Options)) (*httpapi.API, *meter) {
	m := &meter{}
	o := httpapi.Options{
		Replica: "gateway-1", AdminToken: "admin", Timeout: time.Minute, BodyTimeout: time.Minute, WriteTimeout: time.Minute,
		MaxBodies: 8 << 20, MaxQueries: 100, Answerer: p, Addresses: anywhere(nil), APIKeys: ring{}, Meter: m, Metrics: http.NotFoundHandler(),
		Health:   map[string]func() bool{"redis": func() bool { return false }, "postgres": func() bool { return true }},
		HeldBack: func() []service.HeldBack { return nil },
		Log:      slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	for _, c := range change {
		c(&o)
	}
	return httpapi.New(o), m
}

func fine(_ context.Context, r service.Request) (service.Result, error) {
	return service.Result{Answer: service.Answer{CallID: "c-1", Text: "to " + r.Tenant, Finish: "stop", Model: r.Query.Model, PromptTokens: 1, CompletionTokens: 2},
		Source: service.Call, Cost: 42}, nil
}

type answer struct {
	RequestID string `json:"request_id"`
	CallID    string `json:"call_id"`
	Answer    string
	Finish    string `json:"finish_reason"`
	Source    string
	Usage     map[string]int64
	Cost      int64 `json:"cost_nanousd"`
	Error     struct {
		Type, Code, Message string
		RequestID           string `json:"request_id"`
		Details             []struct{ Field, Rule string }
	}
}

func do(t *testing.T, a http.Handler, method, path, body string, header ...string) (*http.Response, answer) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	resp := w.Result()
	var got answer
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		t.Fatalf("%s %s: status %d, not JSON: %v", method, path, resp.StatusCode, err)
	}
	return resp, got
}

const query = `{"model":"fake-1","prompt":"hi","temperature":0,"max_tokens":64}`

func TestQuery(t *testing.T) {
	a, m := newAPI(fine)
	resp, got := do(t, a, "POST", "/v1/query", query, "Authorization", "Bearer good", "X-Request-Id", "r-1")
	if resp.StatusCode != 200 || got.RequestID != "r-1" || got.Answer != "to acme" || got.Source != "call" || got.Cost != 42 ||
		got.Usage["prompt_tokens"] != 1 || got.Usage["completion_tokens"] != 2 || got.CallID != "c-1" || got.Finish != "stop" {
		t.Errorf("status %d, %+v", resp.StatusCode, got)
	}
	if resp.Header.Get("X-Request-Id") != "r-1" || resp.Header.Get("X-Served-By") != "gateway-1" {
		t.Errorf("headers %v", resp.Header)
	}
	if len(m.seen) != 1 || m.seen[0] != (count{"/v1/query", 200}) {
		t.Errorf("counted %v", m.seen)
	}
	if a.Active().Now() != 0 || a.Active().HighWater() != 1 {
		t.Errorf("%d active, at most %d", a.Active().Now(), a.Active().HighWater())
	}
}

// White space in a prompt matters: it is passed on as it came.
func TestPromptIsPassedOnAsItIs(t *testing.T) {
	const prompt = " \tif a:\n    b()\n\u2028    c() \n\n"
	body, err := json.Marshal(map[string]any{"model": "m", "prompt": prompt})
	if err != nil {
		t.Fatal(err)
	}
	var asked string
	a, _ := newAPI(func(ctx context.Context, r service.Request) (service.Result, error) {
		asked = r.Query.Prompt
		return fine(ctx, r)
	})
	if resp, _ := do(t, a, "POST", "/v1/query", string(body), "Authorization", "Bearer good"); resp.StatusCode != 200 || asked != prompt {
		t.Errorf("status %d, asked %q", resp.StatusCode, asked)
	}
}

func TestAnswerIsNotMadeLonger(t *testing.T) {
	const text = "<b> & </b> \x00 \u2028"
	a, _ := newAPI(func(context.Context, service.Request) (service.Result, error) {
		return service.Result{Answer: service.Answer{Text: text}}, nil
	})
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/query", strings.NewReader(query))
	r.Header.Set("Authorization", "Bearer good")
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	var got answer
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Answer != text || !strings.Contains(w.Body.String(), "<b> & </b>") {
		t.Errorf("%s, %v", w.Body, err)
	}
}

func TestRequestIDIsMadeUnlessTheClientsIsFit(t *testing.T) {
	a, _ := newAPI(fine)
	for _, id := range []string{"", "two words", "new\nline", strings.Repeat("x", 129)} {
		resp, got := do(t, a, "POST", "/v1/query", query, "Authorization", "Bearer good", "X-Request-Id", id)
		made := resp.Header.Get("X-Request-Id")
		if made == "" || made == id || got.RequestID != made {
			t.Errorf("for %q: header %q, body %q", id, made, got.RequestID)
		}
	}
}

// What stands for a character is taken, however it is written.
func TestCharacters(t *testing.T) {
	for body, want := range map[string]string{
		`\ud83d\ude00`:   "\U0001F600",
		"\U0001F600":     "\U0001F600",
		`\\ud800`:        `\ud800`,
		`\ufffd`:         "\ufffd",
		`\u0000\n\"\/\\`: "\x00\n\"/\\",
	} {
		var got string
		a, _ := newAPI(func(ctx context.Context, r service.Request) (service.Result, error) {
			got = r.Query.Prompt
			return fine(ctx, r)
		})
		resp, _ := do(t, a, "POST", "/v1/query", `{"model":"m","prompt":"`+body+`"}`, "Authorization", "Bearer good")
		if resp.StatusCode != http.StatusOK || got != want {
			t.Errorf("%s: status %d, prompt %q", body, resp.StatusCode, got)
		}
	}
}

func TestErrors(t *testing.T) {
	busy := &service.Unavailable{Reason: service.ReasonBreaker, RetryAfter: 2100 * time.Millisecond}
	rejected := &service.Unavailable{Reason: service.ReasonRejected, RetryAfter: time.Second}
	tests := []struct {
		name, body, key string
		fails           error
		status          int
		code            string
		retryAfter      string
	}{
		{"no key", query, "", nil, 401, "unauthorized", ""},
		{"wrong key", query, "bad", nil, 401, "unauthorized", ""},
		{"no JSON", `{"model"`, "good", nil, 400, "malformed_body", ""},
		{"two values", query + query, "good", nil, 400, "malformed_body", ""},
		{"wrong type", `{"model":1}`, "good", nil, 400, "malformed_body", ""},
		{"too large", `{"prompt":"` + strings.Repeat("x", 1<<20) + `"}`, "good", nil, 413, "body_too_large", ""},
		{"no object", "[" + query + "]", "good", nil, 400, "malformed_body", ""},
		{"null", "null", "good", nil, 400, "malformed_body", ""},
		{"field twice", strings.Replace(query, "{", `{"prompt":"other",`, 1), "good", nil, 422, "invalid_body", ""},
		{"field in another case", strings.Replace(query, "{", `{"PROMPT":"other",`, 1), "good", nil, 422, "invalid_body", ""},
		{"NUL in the model", `{"model":"m\u0000","prompt":"p"}`, "good", nil, 422, "invalid_body", ""},
		{"no UTF-8", "{\"model\":\"m\",\"prompt\":\"\xff\"}", "good", nil, 400, "malformed_body", ""},
		{"half of a surrogate pair", `{"model":"m","prompt":"\ud800"}`, "good", nil, 400, "malformed_body", ""},
		{"its other half", `{"model":"m","prompt":"a\uDC00\ud800"}`, "good", nil, 400, "malformed_body", ""},
		{"one half twice", `{"model":"m","prompt":"\ud83d\ud83d"}`, "good", nil, 400, "malformed_body", ""},
		{"half of a surrogate pair before another escape", `{"model":"m","prompt":"\ud800\ndc00"}`, "good", nil, 400, "malformed_body", ""},
		{"rules broken", `{"model":"m","temperature":3}`, "good", nil, 422, "invalid_body", ""},
		{"limited", query, "good", &service.Limited{Kind: service.BucketOfKey, RetryAfter: 1001 * time.Millisecond}, 429, "key_rate_limited", "2"},
		{"address limited", query, "good", &service.Limited{Kind: service.BucketOfAddress, RetryAfter: time.Millisecond}, 429, "address_rate_limited", "1"},
		{"unavailable", query, "good", busy, 503, service.ReasonBreaker, "3"},
		{"rejected", query, "good", rejected, 502, service.ReasonRejected, ""},
		{"defect", query, "good", errors.New("secret"), 500, "internal", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a, m := newAPI(func(ctx context.Context, r service.Request) (service.Result, error) {
				if test.fails != nil {
					return service.Result{}, test.fails
				}
				return fine(ctx, r)
			})
			header := []string{"X-Request-Id", "r-1"}
			if test.key != "" {
				header = append(header, "Authorization", "Bearer "+test.key)
			}
			resp, got := do(t, a, "POST", "/v1/query", test.body, header...)
			if resp.StatusCode != test.status || got.Error.Code != test.code || got.Error.RequestID != "r-1" ||
				got.Error.Type == "" || got.Error.Message == "" || strings.Contains(got.Error.Message, "secret") {
				t.Errorf("status %d, %+v", resp.StatusCode, got.Error)
			}
			if after := resp.Header.Get("Retry-After"); after != test.retryAfter {
				t.Errorf("Retry-After %q", after)
			}
			if len(m.seen) != 1 || m.seen[0].code != test.status || a.Active().Now() != 0 {
				t.Errorf("counted %v, %d active", m.seen, a.Active().Now())
			}
		})
	}
}

func TestInvalidBodyNamesItsFields(t *testing.T) {
	a, _ := newAPI(fine)
	_, got := do(t, a, "POST", "/v1/query", `{"model":"m","temperature":3,"max_tokens":-1}`, "Authorization", "Bearer good")
	rules := map[string]string{}
	for _, d := range got.Error.Details {
		rules[d.Field] = d.Rule
	}
	if len(rules) != 3 || rules["prompt"] != "required" || rules["temperature"] != "lte=2" || rules["max_tokens"] != "gte=1" {
		t.Errorf("details %v", got.Error.Details)
	}
}

// Whoever misspells a field, or gives it twice, learns which one: it is not read as something else.
func TestUnknownAndDoubledFieldsAreNamed(t *testing.T) {
	for _, c := range []struct{ field, name, rule string }{
		{`"system":"be brief"`, "system", "unknown"}, {`"stream":true`, "stream", "unknown"}, {`"messages":[{"a":[1]}]`, "messages", "unknown"},
		{`"max_token":3`, "max_token", "unknown"}, {`"PROMPT":"other"`, "PROMPT", "unknown"}, {`"Temperature":1`, "Temperature", "unknown"},
		{`"Max_Tokens":"many"`, "Max_Tokens", "unknown"}, {`"model":"other"`, "model", "once"}, {`"prompt":"other"`, "prompt", "once"}, {`"":1`, "", "unknown"},
		{`"` + strings.Repeat("x", 1000) + `":1`, strings.Repeat("x", 64), "unknown"},
	} {
		a, _ := newAPI(fine)
		resp, got := do(t, a, "POST", "/v1/query", strings.Replace(query, "{", "{"+c.field+",", 1), "Authorization", "Bearer good")
		if resp.StatusCode != 422 || len(got.Error.Details) != 1 || got.Error.Details[0].Field != c.name || got.Error.Details[0].Rule != c.rule {
			t.Errorf("%.40s: status %d, %+v", c.field, resp.StatusCode, got.Error.Details)
		}
	}
}

func TestKeyThatCannotBeLookedUp(t *testing.T) {
	away := &service.Unavailable{Reason: service.ReasonAuth, RetryAfter: time.Second}
	a, _ := newAPI(fine, func(o *httpapi.Options) { o.APIKeys = ring{err: away} })
	resp, got := do(t, a, "POST", "/v1/query", query, "Authorization", "Bearer good")
	if resp.StatusCode != 503 || got.Error.Code != service.ReasonAuth || resp.Header.Get("Retry-After") != "1" {
		t.Errorf("status %d, %+v", resp.StatusCode, got.Error)
	}
}

func TestPanicIsAnsweredAndLeavesTheGaugeRight(t *testing.T) {
	a, m := newAPI(func(context.Context, service.Request) (service.Result, error) { panic("defect") })
	resp, got := do(t, a, "POST", "/v1/query", query, "Authorization", "Bearer good")
	if resp.StatusCode != 500 || got.Error.Code != "internal" || a.Active().Now() != 0 || m.seen[0].code != 500 {
		t.Errorf("status %d, %+v, %d active, counted %v", resp.StatusCode, got.Error, a.Active().Now(), m.seen)
	}
}

// A panic is logged and counted, once, whoever listens. That a client has left is none.
func TestOnlyDefectsAreLogged(t *testing.T) {
	for _, c := range []struct {
		name    string
		defect  any // nil for an error of the request's context
		logged  bool
		hangsUp bool
	}{
		{"panic", "defect", true, false},
		{"panic, and the client has left", "defect", true, true},
		{"the client has left", nil, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log strings.Builder
			ctx, hangUp := context.WithCancel(t.Context())
			defer hangUp()
			a, m := newAPI(func(ctx context.Context, _ service.Request) (service.Result, error) {
				if c.hangsUp {
					hangUp()
				}
				if c.defect != nil {
					panic(c.defect)
				}
				return service.Result{}, ctx.Err()
			}, func(o *httpapi.Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
			r := httptest.NewRequestWithContext(ctx, "POST", "/v1/query", strings.NewReader(query))
			r.Header.Set("Authorization", "Bearer good")
			serve(a, r)
			want := 0
			if c.logged {
				want = 1
			}
			if strings.Count(log.String(), "panic: ") != want || m.panics != want {
				t.Errorf("counted %d, logged %q", m.panics, log.String())
			}
		})
	}
}

func TestPanicOfAProbeIsTold(t *testing.T) {
	var log strings.Builder
	a, m := newAPI(fine, func(o *httpapi.Options) {
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
		o.Metrics = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("defect") })
	})
	resp, _ := do(t, a, "GET", "/metrics", "")
	if resp.StatusCode != 500 || strings.Count(log.String(), "panic: defect") != 1 || m.panics != 1 || len(m.seen) != 0 {
		t.Errorf("status %d, counted %d, logged %q", resp.StatusCode, m.panics, log.String())
	}
}

func TestClientThatHungUp(t *testing.T) {
	ctx, hangUp := context.WithCancel(t.Context())
	a, m := newAPI(func(ctx context.Context, _ service.Request) (service.Result, error) {
		hangUp()
		<-ctx.Done()
		return service.Result{}, ctx.Err()
	})
	r := httptest.NewRequestWithContext(ctx, "POST", "/v1/query", strings.NewReader(query))
	r.Header.Set("Authorization", "Bearer good")
	serve(a, r)
	if len(m.seen) != 1 || m.seen[0].code != 499 || a.Active().Now() != 0 {
		t.Errorf("counted %v, %d active", m.seen, a.Active().Now())
	}
}

func TestRequestHasADeadline(t *testing.T) {
	a, _ := newAPI(func(ctx context.Context, _ service.Request) (service.Result, error) {
		<-ctx.Done()
		return service.Result{}, &service.Unavailable{Reason: service.ReasonDeadline, RetryAfter: time.Second, Err: ctx.Err()}
	}, func(o *httpapi.Options) { o.Timeout = time.Millisecond })
	resp, _ := do(t, a, "POST", "/v1/query", query, "Authorization", "Bearer good")
	if resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "1" {
		t.Errorf("status %d, headers %v", resp.StatusCode, resp.Header)
	}
}

func TestProbes(t *testing.T) {
	a, m := newAPI(fine)
	status := func(path string) int {
		resp, _ := do(t, a, "GET", path, "")
		return resp.StatusCode
	}
	if status("/live") != 200 || status("/ready") != 503 {
		t.Error("before the start: want live and not ready")
	}
	a.Started()
	if status("/ready") != 200 || status("/health") != 200 {
		t.Error("with Redis down: want ready and healthy enough to serve")
	}
	a.Drain()
	if status("/live") != 200 || status("/ready") != 503 {
		t.Error("while draining: want live and not ready")
	}
	if len(m.seen) != 0 || a.Active().HighWater() != 0 {
		t.Error("probes were counted as requests")
	}
}

func TestHealthNamesTheBuildAndWhatIsDown(t *testing.T) {
	a, _ := newAPI(fine, func(o *httpapi.Options) { o.Version = "1.2.3" })
	w := httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/health", nil))
	want := `{"dependencies":{"postgres":"up","redis":"down"},"status":"degraded","version":"1.2.3"}`
	if w.Body.String() != want {
		t.Errorf("got %s", w.Body)
	}
}

func TestHealthTellsWhichModelsAreHeldBackUntilWhen(t *testing.T) {
	until := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	a, _ := newAPI(fine, func(o *httpapi.Options) {
		o.Health = nil
		o.HeldBack = func() []service.HeldBack {
			return []service.HeldBack{{Model: "m", Until: until, Why: service.HeldBackAsked}, {Model: "n", Until: until, Why: service.HeldBackFails, Tenants: 2}}
		}
	})
	w := httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/health", nil))
	want := `{"dependencies":{},"llm_held_back":[{"model":"m","until":"2026-01-02T03:04:05Z","why":"retry_after"},` +
		`{"model":"n","until":"2026-01-02T03:04:05Z","why":"failures","tenants":2}],"status":"degraded","version":""}`
	if w.Body.String() != want {
		t.Errorf("got %s", w.Body)
	}
}

func TestDrainServesOnAndSendsConnectionsElsewhere(t *testing.T) {
	a, _ := newAPI(fine)
	a.Drain()
	resp, _ := do(t, a, "POST", "/v1/query", query, "Authorization", "Bearer good")
	if resp.StatusCode != 200 || resp.Header.Get("Connection") != "close" {
		t.Errorf("status %d, Connection %q", resp.StatusCode, resp.Header.Get("Connection"))
	}
}

func TestUnknownRoute(t *testing.T) {
	a, _ := newAPI(fine)
	resp, got := do(t, a, "GET", "/v1/queries", "")
	if resp.StatusCode != 404 || got.Error.Code != "not_found" {
		t.Errorf("status %d, %+v", resp.StatusCode, got.Error)
	}
}

// What the router itself would answer, with a redirect or a page, is no route: it is limited, counted and told like any other.
func TestPathsThatAreNotPlain(t *testing.T) {
	for _, c := range []struct{ method, target string }{
		{"POST", "/v1//query"}, {"POST", "/v1/./query"}, {"GET", "//"}, {"GET", "/v1/admin/../query"}, {"GET", "/%2e%2e//x"}, {"GET", "http://host"}, {"OPTIONS", "*"}, {"PRI", "*"},
		{"CONNECT", "host:443"}, {"CONNECT", "/"}, {"POST", "/v1%2Fquery"}, {"GET", "/v1/query/"},
	} {
		a, m := newAPI(fine)
		r := httptest.NewRequestWithContext(t.Context(), c.method, "/", nil)
		u, err := url.ParseRequestURI(c.target)
		if err != nil {
			u = &url.URL{Host: c.target} // as the server reads it for CONNECT
		}
		r.URL, r.RequestURI = u, c.target
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		if w.Code != 404 || !strings.Contains(w.Body.String(), "not_found") || len(m.seen) != 1 {
			t.Errorf("%s %s: status %d, %s, counted %v", c.method, c.target, w.Code, w.Body, m.seen)
		}
	}
}

func TestMethodThatARouteLacks(t *testing.T) {
	a, _ := newAPI(fine)
	for _, c := range []struct{ method, path, allow string }{
		{"GET", "/v1/query", "POST"}, {"DELETE", "/v1/admin/keys", "GET, HEAD, POST"}, {"GET", "/v1/admin/keys/7", "DELETE"},
		{"POST", "/v1/admin/usage", "GET, HEAD"},
	} {
		resp, got := do(t, a, c.method, c.path, "")
		if resp.StatusCode != 405 || got.Error.Code != "method_not_allowed" || resp.Header.Get("Allow") != c.allow {
			t.Errorf("%s %s: status %d, Allow %q, %+v", c.method, c.path, resp.StatusCode, resp.Header.Get("Allow"), got.Error)
		}
	}
}
