package odd

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Upstream answers questions on the loopback with whatever it is told to.
type Upstream struct {
	URL      string
	listener net.Listener
	reply    func(question []byte) Reply
	all      sync.WaitGroup
	mu       sync.Mutex
	open     map[net.Conn]bool
}

// Start serves until the test ends: to each question, the body of a request, the reply that a function returns.
func Start(t testing.TB, reply func(question []byte) Reply) *Upstream {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u := &Upstream{URL: "http://" + listener.Addr().String(), listener: listener, reply: reply, open: map[net.Conn]bool{}}
	u.all.Go(u.accept)
	t.Cleanup(u.stop)
	return u
}

func (u *Upstream) stop() {
	_ = u.listener.Close()
	u.mu.Lock()
	for conn := range u.open {
		_ = conn.Close()
	}
	u.mu.Unlock()
	u.all.Wait()
}

func (u *Upstream) accept() {
	for {
		conn, err := u.listener.Accept()
		if err != nil {
			return
		}
		u.note(conn, true)
		u.all.Go(func() {
			u.serve(conn)
			_ = conn.Close()
			u.note(conn, false)
		})
	}
}

func (u *Upstream) note(conn net.Conn, open bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if open {
		u.open[conn] = true
	} else {
		delete(u.open, conn)
	}
}

func (u *Upstream) serve(conn net.Conn) {
	in := bufio.NewReader(conn)
	for {
		question, err := readQuestion(in)
		if err != nil {
			return
		}
		reply := u.reply(question)
		if _, err := conn.Write(reply.Raw); err != nil {
			return
		}
		if reply.Sent != nil {
			reply.Sent()
		}
		if reply.Hangs {
			_, _ = io.Copy(io.Discard, in) // until the asker gives up
			return
		}
		if reply.Ends {
			return
		}
	}
}

// readQuestion reads the body of a request that tells its length.
func readQuestion(in *bufio.Reader) ([]byte, error) {
	length := 0
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			break
		}
		if name, value, _ := strings.Cut(string(line), ": "); name == "Content-Length" {
			length, _ = strconv.Atoi(value)
		}
	}
	body := make([]byte, length)
	_, err := io.ReadFull(in, body)
	return body, err
}
