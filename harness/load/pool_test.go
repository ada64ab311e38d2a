package load

import (
	"bufio"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/harness/evidence"
)

// plainServer answers every request with ok.
type plainServer struct {
	url         string
	accepted    atomic.Int64 // connections
	openAtFirst atomic.Int64 // connections that were open when the first request came
	first       sync.Once
}

// servePlain closes a connection, without a word before, when it has carried so many requests.
func servePlain(t *testing.T, requests int) *plainServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &plainServer{url: "http://" + l.Addr().String()}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.accepted.Add(1)
			serving.Go(func() { s.carry(c, requests) })
		}
	})
	t.Cleanup(func() { l.Close(); serving.Wait() })
	return s
}

func (s *plainServer) carry(c net.Conn, requests int) {
	defer c.Close()
	in := bufio.NewReader(c)
	for range requests {
		if _, err := http.ReadRequest(in); err != nil {
			return
		}
		s.first.Do(func() { s.openAtFirst.Store(s.accepted.Load()) })
		if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"); err != nil {
			return
		}
	}
}

// patience is far beyond what anything here takes.
const patience = time.Minute

// generatorOf has requests without a body to send to the server.
func generatorOf(t *testing.T, s *plainServer, shape Shape) *generator {
	t.Helper()
	get := func(uint64, *rand.Rand) Request { return Request{Method: http.MethodGet, Path: "/"} }
	p := Profile{Timeout: patience, Stages: []Stage{{Name: "all", Shape: shape, Request: get}}}
	g, err := newGenerator(t.Context(), p, Target{URL: s.url}, 1)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	g.clock = clock{now: func() time.Duration { return time.Since(began) }}
	t.Cleanup(g.pool.close)
	return g
}

// sendAlone sends the k-th request as the pacer and a worker do, and returns its record when all is over. In a run, how far the one
// before has got by then is up to the machine.
func sendAlone(g *generator, k uint64) evidence.Request {
	r := g.prepare(entry{seq: k, k: k, stage: &g.profile.Stages[0]})
	g.trySend(r)
	return g.follow(r)
}

// A connection that the server closed while it was idle is no reason to lose a request.
func TestIdleConnectionClosed(t *testing.T) {
	const n = 5
	s := servePlain(t, 1)
	g := generatorOf(t, s, Herd(n, 0))
	for k := range uint64(n) {
		if r := sendAlone(g, k); r.Outcome != evidence.OK {
			t.Errorf("request %d: %s %q", k, r.Outcome, r.Reason)
		}
		if size := g.pool.size(); size != 1 {
			t.Fatalf("%d connections are idle", size)
		}
		awaitEnd(t, g.pool.idle[0])
	}
	if accepted := s.accepted.Load(); accepted != n {
		t.Errorf("%d requests over %d connections", n, accepted)
	}
}

// awaitEnd returns when this side knows that the other one has closed the connection.
func awaitEnd(t *testing.T, c *conn) {
	t.Helper()
	err := c.raw.Read(func(fd uintptr) (over bool) {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		return !errors.Is(err, syscall.EAGAIN)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestConnectionsAreKept(t *testing.T) {
	const n = 20
	s := servePlain(t, n)
	g := generatorOf(t, s, Herd(n, 0))
	for k := range uint64(n) {
		if r := sendAlone(g, k); r.Outcome != evidence.OK {
			t.Errorf("request %d: %s %q", k, r.Outcome, r.Reason)
		}
	}
	if accepted := s.accepted.Load(); accepted != 1 {
		t.Errorf("%d requests, one after another, over %d connections", n, accepted)
	}
}

// Those who come at once have their connections open before.
func TestConnectionsOpenAheadOfHerd(t *testing.T) {
	const herd, due = 50, 200 * time.Millisecond
	s := servePlain(t, math.MaxInt)
	g := generatorOf(t, s, Herd(herd, due))
	// How long that takes is up to the machine: by this clock, the herd is due when they are open.
	var open atomic.Bool
	wall := g.clock.now
	g.clock.now = func() time.Duration {
		now := wall()
		if now < due || open.Load() {
			return now
		}
		if now < patience && (s.accepted.Load() < herd || g.pool.size() < herd) {
			time.Sleep(time.Millisecond)
			return due - 1
		}
		open.Store(true)
		return now
	}
	got := map[evidence.Outcome]int{}
	g.onRequest = func(r evidence.Request) { got[r.Outcome]++ }
	if err := g.run(); err != nil {
		t.Fatal(err)
	}
	if first := s.openAtFirst.Load(); got[evidence.OK] != herd || first != herd || s.accepted.Load() != herd {
		t.Errorf("%v; %d connections open at the first request, %d at the end", got, first, s.accepted.Load())
	}
}
