package httpapi_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/service"
	"github.com/sentinel-chaos/sentinel/service/httpapi"
	"github.com/sentinel-chaos/sentinel/service/internal/oracle"
)

func documented(f *testing.F) oracle.Answers {
	f.Helper()
	answers, err := oracle.ReadAnswers("../../docs/FAILURE_MODES.md")
	if err != nil {
		f.Fatal(err)
	}
	return answers
}

// FuzzQuery: whatever the body and the headers of a query are, it is answered as documented. What is taken is what the body says, and what
// is not names a field that is wrong.
func FuzzQuery(f *testing.F) {
	answers := documented(f)
	for _, body := range []string{query, "", "null", "[]", `{"model":"m","model":"n","prompt":"p"}`, `{"a":{"b":[1,{}]}}`, query + "}", "\ufeff" + query, `{"Max_Tokens":"x"}`,
		`{"model":"m","prompt":"\ud83d\ude00\u0000","temperature":2,"max_tokens":131072}`, `{"model":null,"prompt":null,"temperature":null,"max_tokens":null}`} {
		f.Add([]byte(body), "Bearer good", "r-1", "10.0.0.1, 192.0.2.7")
	}
	f.Add([]byte(query), "bearer  good\t", strings.Repeat("r", 129), "::1")
	f.Add([]byte(query), "Basic good", "", "")
	f.Fuzz(func(t *testing.T, body []byte, authorization, id, forwarded string) {
		var asked []service.Request
		a, m := newAPI(func(ctx context.Context, r service.Request) (service.Result, error) {
			asked = append(asked, r)
			return fine(ctx, r)
		}, func(o *httpapi.Options) { o.Proxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} })
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/query", bytes.NewReader(body))
		r.Header = http.Header{"Authorization": {authorization}, "X-Request-Id": {id}, "X-Forwarded-For": {forwarded}}
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		_, named, err := answers.Check(w.Result(), w.Body.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		want, status, wrong := oracle.ReadQuery(body)
		if w.Code == http.StatusUnauthorized && authorization != "Bearer good" {
			status = http.StatusUnauthorized
		}
		if w.Code != status {
			t.Fatalf("status %d, not %d: %s", w.Code, status, w.Body)
		}
		for _, name := range named {
			if !slices.ContainsFunc(wrong, func(field string) bool { return cutName(field) == name }) {
				t.Errorf("it names %q; wrong are %q", name, wrong)
			}
		}
		if status == http.StatusOK && (len(asked) != 1 || asked[0].Query != service.Query(want) || asked[0].Tenant != "acme" || asked[0].ID != w.Header().Get("X-Request-Id")) {
			t.Errorf("asked was %+v, not %+v", asked, want)
		}
		if status != http.StatusOK && len(asked) > 0 {
			t.Errorf("status %d, and asked was %+v", status, asked)
		}
		if len(m.seen) != 1 || m.seen[0].code != status || m.panics > 0 || a.Active().Now() != 0 {
			t.Errorf("counted %v and %d panics, %d active", m.seen, m.panics, a.Active().Now())
		}
	})
}

// cutName is a field's name as it is repeated to who made it up.
func cutName(name string) string { return strings.ToValidUTF8(name[:min(len(name), 64)], "") }

// FuzzAdmin: whatever administrators send, it is answered as documented, and the store is asked for what can be written again.
func FuzzAdmin(f *testing.F) {
	answers := documented(f)
	for _, target := range []string{"/v1/admin/keys", "/v1/admin/keys?tenant=acme", "/v1/admin/keys/7", "/v1/admin/keys/+7", "/v1/admin/usage?tenant=acme",
		"/v1/admin/usage?tenant=acme&from=2026-01-02T03:04:05+24:00&to=0000-01-01T00:00:00Z", "/v1/admin/usage?tenant=%00&tenant=a", "/v1/admin/usage?to=9999-12-31T23:59:59-24:00&tenant=a"} {
		for _, method := range []string{"GET", "POST", "DELETE", "HEAD"} {
			f.Add(method, target, []byte(`{"tenant":"acme"}`))
		}
	}
	f.Fuzz(func(t *testing.T, method, target string, body []byte) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return // the server answers it by itself
		}
		books := &spans{}
		a, m := newAPI(fine, func(o *httpapi.Options) { o.Accounts = books })
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", bytes.NewReader(body))
		r.Method, r.URL, r.RequestURI = method, u, target
		r.Header.Set("Authorization", "Bearer admin")
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		if m.panics > 0 || w.Code >= http.StatusInternalServerError && u.Path != "/ready" {
			t.Fatalf("status %d, %d panics", w.Code, m.panics)
		}
		if !strings.HasPrefix(u.Path, "/v1/") {
			return // a probe, perhaps
		}
		resp := w.Result()
		resp.Request = r
		if _, _, err := answers.Check(resp, w.Body.Bytes()); err != nil {
			t.Fatal(err)
		}
		var told struct{ From, To time.Time }
		if err := json.Unmarshal(w.Body.Bytes(), &told); books.asked && (err != nil || !told.From.Equal(books.from) || !told.To.Equal(books.to)) {
			t.Errorf("asked was for %s to %s, told %s: %v", books.from, books.to, w.Body, err)
		}
	})
}

// spans remembers for which span of time it was asked.
type spans struct {
	asked    bool
	from, to time.Time
}

func (s *spans) Usage(_ context.Context, _ string, from, to time.Time) ([]service.Usage, error) {
	s.asked, s.from, s.to = true, from, to
	return []service.Usage{{KeyID: "7", Requests: 5, Calls: 2, Cost: 40}}, nil
}

// FuzzForwardedFor: nobody is taken for whom no trusted proxy has named.
func FuzzForwardedFor(f *testing.F) {
	f.Add("192.0.2.1:5", "203.0.113.9, 192.0.2.7")
	f.Add("[2001:db8::1%eth0]:5", "::ffff:192.0.2.1,,fe80::1%x")
	f.Add("", "10.0.0.1")
	f.Fuzz(func(t *testing.T, peer, forwarded string) {
		trusted := netip.MustParsePrefix("192.0.2.0/24")
		got := netip.Addr{}
		a, _ := newAPI(fine, func(o *httpapi.Options) {
			o.Proxies = []netip.Prefix{trusted}
			o.Addresses = anywhere(func(client netip.Addr) error {
				got = client
				return nil
			})
		})
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/query", nil)
		r.RemoteAddr, r.Header = peer, http.Header{"X-Forwarded-For": {forwarded}}
		a.ServeHTTP(httptest.NewRecorder(), r)
		want := netip.Addr{}
		if from, err := netip.ParseAddrPort(peer); err == nil {
			want = lastNamed(from.Addr().Unmap(), forwarded, trusted)
		}
		if got != want {
			t.Errorf("%s is taken for the client, not %s", got, want)
		}
	})
}

// lastNamed is whom the last trusted proxy on the way names: another one is asked for the one before. Where none is named it is the proxy.
func lastNamed(peer netip.Addr, forwarded string, trusted netip.Prefix) netip.Addr {
	before, last := "", forwarded
	if i := strings.LastIndex(forwarded, ","); i >= 0 {
		before, last = forwarded[:i], forwarded[i+1:]
	}
	named, err := netip.ParseAddr(strings.TrimSpace(last))
	if err != nil || !trusted.Contains(peer) {
		return peer
	}
	return lastNamed(named.Unmap(), before, trusted)
}

// FuzzWire: whatever comes over a connection, each answer that goes back is a whole one, and documented; the handler does not panic, and the
// connection ends.
func FuzzWire(f *testing.F) {
	answers := documented(f)
	const one = "POST /v1/query HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\nContent-Length: 28\r\n\r\n{\"model\":\"m\",\"prompt\":\"p p\"}"
	for _, raw := range []string{
		one + one, strings.Replace(one, "Content-Length: 28", "Transfer-Encoding: chunked", 1), strings.Replace(one, "HTTP/1.1", "HTTP/3.0", 1),
		"POST /v1/query HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\nTransfer-Encoding: chunked\r\n\r\n1c;x=y\r\n{\"model\":\"m\",\"prompt\":\"p p\"}\r\n0\r\nX: y\r\n\r\n",
		"POST /v1/query HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "GET /live HTTP/1.0\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET //x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
		strings.Replace(one, "Host: a", "Host: a\r\nExpect: 100-continue", 1), "HEAD /v1/admin/keys HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer admin\r\n\r\n",
	} {
		f.Add([]byte(raw))
	}
	s := startServer(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		w := &wire{in: bytes.NewReader(raw), closed: make(chan struct{})}
		s.serve(t, w)
		out := bufio.NewReader(&w.out)
		for i := 0; ; i++ {
			if _, err := out.Peek(1); err != nil {
				return
			}
			r := &http.Request{Method: "GET"} // what no handler has seen is answered by the server, with a body
			if i < len(s.seen) {
				r = s.seen[i]
			}
			resp, err := http.ReadResponse(out, r)
			if err != nil {
				t.Fatalf("answer %d: %v", i, err)
			}
			body, err := io.ReadAll(resp.Body)
			switch {
			case err != nil:
				t.Fatalf("answer %d: %v", i, err)
			case resp.StatusCode == http.StatusContinue:
				i--
			case slices.Contains([]string{"/live", "/ready", "/health", "/metrics"}, pathOf(r)) && r.Method == "GET":
			default:
				if _, _, err := answers.Check(resp, body); err != nil {
					t.Fatalf("answer %d: %v", i, err)
				}
			}
			if i > len(s.seen) {
				t.Fatalf("%d answers to %d requests", i+1, len(s.seen))
			}
		}
	})
}

func pathOf(r *http.Request) string {
	if r.URL == nil {
		return ""
	}
	return r.URL.Path
}

// server serves an API on connections that are none.
type server struct {
	conns chan net.Conn
	api   *httpapi.API
	meter *meter
	log   lines
	seen  []*http.Request // on the present connection
}

// lines are what was logged.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(text)
}

func startServer(f *testing.F) *server {
	s := &server{conns: make(chan net.Conn)}
	s.api, s.meter = newAPI(fine, func(o *httpapi.Options) { o.Accounts = &spans{} })
	s.api.Started()
	h := &http.Server{MaxHeaderBytes: 16 << 10, DisableGeneralOptionsHandler: true, ErrorLog: log.New(&s.log, "", 0),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.seen = append(s.seen, r)
			s.api.ServeHTTP(w, r)
		})}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = h.Serve(s)
	}()
	f.Cleanup(func() {
		_ = h.Close()
		<-ended
	})
	return s
}

// serve has one connection served to its end.
func (s *server) serve(t *testing.T, w *wire) {
	s.seen = nil
	s.conns <- w
	select {
	case <-w.closed:
	case <-time.After(10 * time.Second):
		t.Fatal("the connection does not end")
	}
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	if s.log.text.Len() > 0 || s.meter.panics > 0 || s.api.Active().Now() > 0 {
		t.Fatalf("%d panics, %d active, logged %s", s.meter.panics, s.api.Active().Now(), &s.log.text)
	}
	s.meter.seen = nil
}

func (s *server) Accept() (net.Conn, error) {
	conn, ok := <-s.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (s *server) Close() error   { close(s.conns); return nil }
func (s *server) Addr() net.Addr { return &net.TCPAddr{} }

// wire is a connection whose client has sent all that it will, and reads when it is closed.
type wire struct {
	in     *bytes.Reader
	mu     sync.Mutex
	out    bytes.Buffer
	once   sync.Once
	closed chan struct{}
}

func (w *wire) Read(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.in.Read(p)
}

func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.Write(p)
}

func (w *wire) Close() error {
	w.once.Do(func() { close(w.closed) })
	return nil
}

// CloseWrite ends it too: the server writes nothing more, and waits for a while before it closes.
func (w *wire) CloseWrite() error { return w.Close() }

func (w *wire) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (w *wire) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 5} }
func (w *wire) SetDeadline(time.Time) error      { return nil }
func (w *wire) SetReadDeadline(time.Time) error  { return nil }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }
