package httpapi_test

import (
	"bufio"
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

// Nobody is ever sent an empty 200: neither who does not send the body, nor who closes the sending side and goes on reading.
func TestNoEmptyAnswers(t *testing.T) {
	for _, c := range []struct {
		name  string
		start string
		close bool
		want  int
	}{
		{"the body does not come", head(60) + "{", false, http.StatusRequestTimeout},
		{"half of the connection is closed", head(len(query)) + query, true, 499},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, m := newAPI(func(ctx context.Context, _ service.Request) (service.Result, error) {
				<-ctx.Done()
				return service.Result{}, context.Cause(ctx)
			}, func(o *httpapi.Options) {
				if o.Timeout = time.Minute; !c.close {
					o.Timeout = 50 * time.Millisecond
				}
			})
			conn := dialled(t, a, c.start)
			if c.close {
				if err := conn.CloseWrite(); err != nil {
					t.Fatal(err)
				}
			}
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != c.want || !strings.Contains(string(body), `"request_id":"r"`) {
				t.Errorf("status %d, %s, %v", resp.StatusCode, body, err)
			}
			if len(m.seen) != 1 || m.seen[0].code != c.want {
				t.Errorf("counted %v", m.seen)
			}
		})
	}
}
