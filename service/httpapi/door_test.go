package httpapi_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/service"
	"github.com/sentinel-chaos/sentinel/service/httpapi"
	"github.com/sentinel-chaos/sentinel/service/internal/servers"
)

// response reads one that comes over a connection, and its body.
func response(t *testing.T, conn net.Conn) (int, string) {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// Who shows no valid key is told so before the body is there, and though all places are taken.
func TestNoBodyIsReadOfStrangers(t *testing.T) {
	for name, header := range map[string]string{
		"no key": "", "unknown key": "Authorization: Bearer bad\r\n", "no bearer": "Authorization: Basic good\r\n",
	} {
		for _, path := range []string{"/v1/query", "/v1/admin/keys"} {
			t.Run(name+" for "+path, func(t *testing.T) {
				busy := make(chan struct{})
				a, _ := newAPI(func(context.Context, service.Request) (service.Result, error) {
					<-busy
					return service.Result{}, nil
				}, func(o *httpapi.Options) { o.MaxQueries = 1 })
				defer close(busy)
				go ask(context.WithoutCancel(t.Context()), a)
				await(t, "the place is taken", func() bool { return a.Active().Now() == 1 })
				conn := dialled(t, a, fmt.Sprintf("POST %s HTTP/1.1\r\nHost: a\r\n%sContent-Length: 1000\r\n\r\n{", path, header))
				if status, body := response(t, conn); status != 401 || !strings.Contains(body, "unauthorized") {
					t.Errorf("status %d, %s", status, body)
				}
			})
		}
	}
}

// A client that sends its body slowly holds no place.
func TestSlowBodyHoldsNoPlace(t *testing.T) {
	a, _ := newAPI(fine, func(o *httpapi.Options) { o.MaxQueries = 1 })
	conn := dialled(t, a, head(len(query))+query[:1])
	await(t, "the slow request has come", func() bool { return a.Active().Now() == 1 })
	if got := ask(t.Context(), a); got.status != 200 {
		t.Errorf("another client got %+v", got)
	}
	if _, err := io.WriteString(conn, query[1:]); err != nil {
		t.Fatal(err)
	}
	if status, body := response(t, conn); status != 200 {
		t.Errorf("status %d, %s", status, body)
	}
}

// A client that never reads its answer gives its place back when its request's time is over.
func TestClientThatNeverReads(t *testing.T) {
	long := strings.Repeat("x", 32<<20) // more than the buffers of two sockets
	answered := make(chan struct{})
	a, _ := newAPI(func(context.Context, service.Request) (service.Result, error) {
		close(answered)
		return service.Result{Answer: service.Answer{Text: long}}, nil
	}, func(o *httpapi.Options) { o.MaxQueries, o.Timeout = 1, 50*time.Millisecond })
	conn := dialled(t, a, head(len(query))+query)
	<-answered
	await(t, "the place is free again", func() bool { return a.Active().Now() == 0 })
	_ = conn.Close()
}

// Who asks too much from one address is refused before anything is done: no body is read, and no credentials are looked at.
func TestAddressComesFirst(t *testing.T) {
	for _, start := range []string{head(1000) + "{", "POST /v1/query HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n",
		"GET /v1/admin/keys HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer guess\r\n\r\n", "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n"} {
		a, _ := newAPI(fine, func(o *httpapi.Options) {
			o.Addresses = anywhere(func(netip.Addr) error {
				return &service.Limited{Kind: service.BucketOfAddress, RetryAfter: time.Second}
			})
			o.APIKeys = nil // whoever looks at credentials panics
		})
		if status, body := response(t, dialled(t, a, start)); status != 429 || !strings.Contains(body, "address_rate_limited") {
			t.Errorf("%.40q: status %d, %s", start, status, body)
		}
	}
}

// The bodies of all requests have so much room together, and give it back.
func TestBodiesAreBounded(t *testing.T) {
	a, _ := newAPI(fine, func(o *httpapi.Options) { o.MaxBodies = int64(len(query)) + 10 })
	slow := &slowBody{text: query[:20], counted: make(chan struct{}), end: make(chan struct{})}
	ended := make(chan int)
	go func() {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(context.WithoutCancel(t.Context()), "POST", "/v1/query", slow)
		r.Header.Set("Authorization", "Bearer good")
		a.ServeHTTP(w, r)
		ended <- w.Code
	}()
	<-slow.counted
	if got := ask(t.Context(), a); got.status != 503 || got.code != service.ReasonOverloaded || got.retryAfter != "1" {
		t.Errorf("the second got %+v", got)
	}
	close(slow.end)
	if status := <-ended; status != 400 {
		t.Errorf("the first got %d", status)
	}
	if got := ask(t.Context(), a); got.status != 200 {
		t.Errorf("when the room was free again, a client got %+v", got)
	}
}

// slowBody gives its text at once, and the rest of the body never: it breaks off at the end. Whoever reads on has counted the text.
type slowBody struct {
	text         string
	counted, end chan struct{}
}

func (b *slowBody) Read(p []byte) (int, error) {
	if n := copy(p, b.text); n > 0 {
		b.text = b.text[n:]
		return n, nil
	}
	close(b.counted)
	<-b.end
	return 0, io.ErrUnexpectedEOF
}

// await waits until something is so.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	servers.Await(t, what, func(context.Context) error {
		if !so() {
			return errors.New("it is not so")
		}
		return nil
	})
}
