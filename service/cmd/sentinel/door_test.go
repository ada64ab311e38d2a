package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/service/internal/servers"
)

// neverReads dials with the smallest receive window, sends a request, and reads nothing.
func neverReads(t *testing.T, addr, request string) {
	conn, err := wire{addr: addr, deaf: true}.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
}

// Clients that never read a long answer that is stored keep neither their places for longer than their time nor the replica from ending clean.
func TestClientsThatNeverRead(t *testing.T) {
	s := serving(t, &echo{}, func(c *Config) { c.MaxQueries = 4 })
	key := s.key(t, "acme")
	answered := func(context.Context) error {
		if status, got := s.clients.send("POST", "/v1/query", key, asks(longQuestion)); status != http.StatusOK {
			return fmt.Errorf("status %d, %v", status, got["error"])
		}
		return nil
	}
	servers.Await(t, "the answer is stored", answered)
	query := rawRequest("POST", "/v1/query", asks(longQuestion), bearing(key))
	for range s.config.MaxQueries {
		neverReads(t, s.config.Listen, query)
	}
	servers.Await(t, "they take all places", func(context.Context) error {
		if s.app.api.Active().Now() < int64(s.config.MaxQueries) {
			return errors.New("they do not yet")
		}
		return nil
	})
	servers.Await(t, "somebody else is answered", answered)
	neverReads(t, s.config.Listen, query)
	s.end()
}

// Whoever has sent more than is read gets the answer all the same, and then the end of the connection, which is not reset.
func TestAnswersComeBeforeTheEnd(t *testing.T) {
	required(t)
	c, err := loadConfig()
	if err != nil {
		t.Fatal(err)
	}
	c.Listen, _ = servers.FreeAddr(t)
	c.PostgresDSN, c.RedisSentinels = "postgres://"+nobody(t)+"/sentinel", []string{nobody(t)}
	_, sigterm, stopped := running(t, c, slog.New(slog.DiscardHandler))
	transport := &http.Transport{DisableKeepAlives: true}
	client{t, "http://" + c.Listen, &http.Client{Transport: transport}}.awaitStatus("the gateway listens", http.StatusServiceUnavailable)
	more := strings.Repeat("x", 1<<20)
	for want, request := range map[string]string{
		"401": "POST /v1/query HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n", "404": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n",
		"400": "POST /\r\n\r\n", "417": "POST / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n", "431": "POST / HTTP/1.1\r\nHost: a\r\nX: ",
		"501": "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x\r\n\r\n", "505": "POST / HTTP/3.0\r\n\r\n",
	} {
		dialled := time.Now()
		conn, err := net.Dial("tcp", c.Listen)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			_, _ = io.WriteString(conn, strings.Repeat("GET /live HTTP/1.1\r\nHost: a\r\n\r\n", 30)+request+more)
		}()
		time.Sleep(20 * time.Millisecond) // the answers have come by then, and the reset, if there is one
		got, err := io.ReadAll(conn)
		if time.Since(dialled) >= linger { // as when the machine stood still: nobody is promised more time to read than that
			err = nil
		}
		if answers := strings.Count(string(got), "HTTP/1.1 "); err != nil || answers != 31 || !strings.Contains(string(got), "HTTP/1.1 "+want) {
			t.Errorf("%s: %d answers and %v, at last %.100q", want, answers, err, got[max(0, len(got)-100):])
		}
		_ = conn.Close()
	}
	sigterm()
	if err := <-stopped; err != nil {
		t.Errorf("stopped with %v", err)
	}
}

// Headers that are too large are refused by name of the trouble, and whoever comes on top of the connections that may be waits for one to end.
func TestConnectionsAndHeadersAreBounded(t *testing.T) {
	required(t)
	c, err := loadConfig()
	if err != nil {
		t.Fatal(err)
	}
	c.Listen, _ = servers.FreeAddr(t)
	c.PostgresDSN, c.RedisSentinels = "postgres://"+nobody(t)+"/sentinel", []string{nobody(t)}
	c.MaxConnections, c.HeaderTimeout = 2, 2*time.Second // in which headers come that are sent at once
	_, sigterm, stopped := running(t, c, slog.New(slog.DiscardHandler))
	transport := &http.Transport{DisableKeepAlives: true}
	api := client{t, "http://" + c.Listen, &http.Client{Transport: transport}}
	api.awaitStatus("the gateway listens", http.StatusServiceUnavailable)
	if status, _ := api.send("GET", "/live", strings.Repeat("x", 40_000), ""); status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("large headers: status %d", status)
	}
	for range c.MaxConnections { // they send no headers, and are closed when their time is over
		neverReads(t, c.Listen, "GET /live")
	}
	if status, _ := api.send("GET", "/live", "", ""); status != http.StatusOK {
		t.Errorf("after them: status %d", status)
	}
	sigterm()
	if err := <-stopped; err != nil {
		t.Errorf("stopped with %v", err)
	}
}
