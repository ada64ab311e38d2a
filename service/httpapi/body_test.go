package httpapi_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/service"
	"github.com/sentinel-chaos/sentinel/service/httpapi"
)

// dialled sends the start of a request to a server, and returns the connection.
func dialled(t *testing.T, h http.Handler, start string) *net.TCPConn {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, start); err != nil {
		t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

// head is that of a query whose body has so many bytes.
func head(length int) string {
	return fmt.Sprintf("POST /v1/query HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\nX-Request-Id: r\r\nContent-Length: %d\r\n\r\n", length)
}

// Who does not send the body is told so, and is never sent an empty 200.
func TestBodyThatDoesNotCome(t *testing.T) {
	a, m := newAPI(fine, func(o *httpapi.Options) { o.Timeout = 50 * time.Millisecond })
	conn := dialled(t, a, head(60)+"{")
	if status, body := response(t, conn); status != http.StatusRequestTimeout || !strings.Contains(body, `"request_id":"r"`) {
		t.Errorf("status %d, %s", status, body)
	}
	await(t, "it is counted", func() bool { return len(m.all()) == 1 })
	if got := m.all()[0].code; got != http.StatusRequestTimeout {
		t.Errorf("counted %d", got)
	}
}

// Who closes the sending side and goes on reading gets the answer if it is there, or else the end of the connection without a status.
func TestHalfClosedConnection(t *testing.T) {
	a, m := newAPI(func(ctx context.Context, _ service.Request) (service.Result, error) {
		<-ctx.Done()
		return service.Result{}, context.Cause(ctx)
	})
	conn := dialled(t, a, head(len(query))+query)
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(conn); err != nil || len(got) != 0 {
		t.Errorf("it got %q, %v", got, err)
	}
	await(t, "it is counted", func() bool { return len(m.all()) == 1 })
	if got := m.all()[0].code; got != 499 {
		t.Errorf("counted %d", got)
	}
}
