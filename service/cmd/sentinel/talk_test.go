package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// rawRequest is one as it goes over the wire, with lines of its header as they are given.
func rawRequest(method, target, body string, lines ...string) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s HTTP/1.1\r\nHost: a\r\n", method, target)
	for _, line := range lines {
		text.WriteString(line + "\r\n")
	}
	if body != "" {
		fmt.Fprintf(&text, "Content-Length: %d\r\n", len(body))
	}
	return text.String() + "\r\n" + body
}

// bearing is the line of the header that shows a key or a token.
func bearing(key string) string { return "Authorization: Bearer " + key }

// closing is the line of the last request of a connection.
const closing = "Connection: close"

// reply is a response as it came.
type reply struct {
	status int
	header http.Header
	body   string
}

// wire is how a client behaves on its connection.
type wire struct {
	addr     string
	from     string        // its own address, "" for any
	pause    time.Duration // before each byte of a body, or of headers that have no end; 0 for none
	halfEnds bool          // it closes its sending side when it has said everything
	deaf     bool          // it has the smallest receive window, and reads nothing
}

// Times of clients.
const (
	talkTime = 8 * time.Second // for replies: longer than a gateway that is besieged waits for anything, and than a machine stands still besides
	deafTime = 2 * time.Second // of one that never reads, until it leaves
)

// talk says something over a connection of its own, and returns what is replied until the connection ends, or the context does.
func (w wire) talk(ctx context.Context, text string) (replies []reply, err error) {
	conn, err := w.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	_ = conn.SetDeadline(time.Now().Add(talkTime))
	said := make(chan struct{})
	go func() {
		defer close(said)
		w.say(conn, text)
	}()
	defer func() {
		_ = conn.Close()
		<-said
	}()
	if w.deaf {
		<-said
		sleep(ctx, deafTime)
		return nil, nil
	}
	for reader := bufio.NewReader(conn); ; {
		resp, err := http.ReadResponse(reader, nil)
		if err != nil {
			return replies, nil // how a connection ends is the server's to choose
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		replies = append(replies, reply{resp.StatusCode, resp.Header, string(body)}) // perhaps cut short by what the server did not read
		if err != nil {
			return replies, nil
		}
	}
}

func (w wire) dial(ctx context.Context) (net.Conn, error) {
	var dialer net.Dialer
	if w.from != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(w.from)}
	}
	if w.deaf {
		dialer.Control = func(_, _ string, c syscall.RawConn) error {
			return c.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 1) })
		}
	}
	return dialer.DialContext(ctx, "tcp", w.addr)
}

// say ends early if the connection does.
func (w wire) say(conn net.Conn, text string) {
	quick := len(text)
	if w.pause > 0 {
		quick = strings.Index(text, "\r\n\r\n") + len("\r\n\r\n")
	}
	_, err := io.WriteString(conn, text[:quick])
	for i := quick; i < len(text) && err == nil; i++ {
		time.Sleep(w.pause)
		_, err = io.WriteString(conn, text[i:i+1])
	}
	if tcp, ok := conn.(*net.TCPConn); ok && w.halfEnds {
		_ = tcp.CloseWrite()
	}
}

// statuses are those of replies.
func statuses(replies []reply) []int {
	all := make([]int, len(replies))
	for i, r := range replies {
		all[i] = r.status
	}
	return all
}

// told is the one reply to what a client says.
func told(t testing.TB, addr, text string) reply {
	t.Helper()
	replies, err := wire{addr: addr}.talk(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	if len(replies) != 1 {
		t.Fatalf("%.80q: %d replies, %v", text, len(replies), statuses(replies))
	}
	return replies[0]
}
