package servers

import (
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Fault is what is wrong with a server, for whoever comes by a Relay. The zero Fault is none.
type Fault int32

// The faults.
const (
	Slow     Fault = iota + 1 // what it is sent arrives late
	Silent                    // it takes connections, and says nothing
	Refusing                  // it resets its connections, and takes none
	Away                      // it says nothing, and takes no connections either, as behind a cut cable
)

// Faults are all of them.
func Faults() []Fault { return []Fault{Slow, Silent, Refusing, Away} }

// String names the fault as in: the server is ...
func (f Fault) String() string {
	return map[Fault]string{Slow: "slow", Silent: "silent", Refusing: "refusing", Away: "away"}[f]
}

// Relay passes TCP connections on to a server, until it breaks. It ends with the test.
type Relay struct {
	Addr     string // to dial, host:port
	server   string
	late     time.Duration
	listener *net.TCPListener
	fault    atomic.Int32
	over     chan struct{} // closed when the test ends
	mu       sync.Mutex
	conns    []net.Conn
	all      sync.WaitGroup
}

// StartRelay starts a relay to the server's host:port. If that becomes Slow, each message to it is late by a random time up to late.
func StartRelay(t testing.TB, server string, late time.Duration) *Relay {
	t.Helper()
	port, err := keepPort(t) // a relay that refuses has closed its listener, and nobody else may listen in its place
	if err != nil {
		t.Fatalf("find a free port: %v", err)
	}
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
	if err != nil {
		t.Fatalf("start a relay: %v", err)
	}
	r := &Relay{Addr: listener.Addr().String(), server: server, late: late, listener: listener, over: make(chan struct{})}
	r.all.Go(r.serve)
	t.Cleanup(r.end)
	return r
}

func (r *Relay) end() {
	close(r.over)
	_ = r.listener.Close()
	r.closeAll()
	r.all.Wait()
}

func (r *Relay) closeAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, conn := range r.conns {
		_ = conn.Close()
	}
}

// keep has a connection closed at the end. It returns false if that has come.
func (r *Relay) keep(conn net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.over:
		_ = conn.Close()
		return false
	default:
		r.conns = append(r.conns, conn)
		return true
	}
}

// Break gives the server a fault, for good.
func (r *Relay) Break(t testing.TB, f Fault) {
	t.Helper()
	r.fault.Store(int32(f))
	switch f {
	case Refusing:
		_ = r.listener.Close()
		r.resetAll()
	case Away:
		r.fillQueue(t)
	}
}

func (r *Relay) resetAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, conn := range r.conns {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = conn.Close()
	}
}

// Figures of a queue of connections that nobody accepts.
const (
	queueWait = 100 * time.Millisecond // on this machine a connection is made in far less
	queueMost = 16                     // the shortest queue has room for one or two
)

// fillQueue makes the queue of connections as short as may be, and fills it. Then the kernel answers nobody who dials.
func (r *Relay) fillQueue(t testing.TB) {
	t.Helper()
	raw, err := r.listener.SyscallConn()
	if err == nil {
		controlled := raw.Control(func(fd uintptr) { err = syscall.Listen(int(fd), 0) })
		if controlled != nil {
			err = controlled
		}
	}
	if err != nil {
		t.Fatalf("shorten the queue of a relay: %v", err)
	}
	for range queueMost {
		conn, err := net.DialTimeout("tcp", r.Addr, queueWait)
		if err != nil {
			return
		}
		r.keep(conn)
	}
	t.Fatalf("the relay still takes connections")
}

func (r *Relay) is(f Fault) bool { return Fault(r.fault.Load()) == f }

func (r *Relay) serve() {
	for {
		conn, err := r.listener.Accept()
		if err != nil || !r.keep(conn) {
			return
		}
		switch {
		case r.is(Refusing):
			_ = conn.Close()
			return
		case r.is(Away):
			<-r.over
			return
		}
		r.all.Go(func() { r.pass(conn) })
	}
}

// pass ends both connections when either ends.
func (r *Relay) pass(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", r.server)
	if err != nil || !r.keep(server) {
		return
	}
	defer server.Close()
	var both sync.WaitGroup
	both.Go(func() {
		r.copy(server, client, true)
		_ = client.Close()
		_ = server.Close()
	})
	r.copy(client, server, false)
	_ = client.Close()
	_ = server.Close()
	both.Wait()
}

func (r *Relay) copy(to, from net.Conn, late bool) {
	message := make([]byte, 64<<10)
	for {
		n, err := from.Read(message)
		if !r.passes(late) { // nor the end of a connection
			return
		}
		if _, failed := to.Write(message[:n]); failed != nil || err != nil {
			return
		}
	}
}

// passes waits for as long as a message takes, and reports whether it arrives at all.
func (r *Relay) passes(late bool) bool {
	var arrives <-chan time.Time
	switch {
	case r.is(Silent) || r.is(Away): // never
	case r.is(Slow) && late:
		arrives = time.After(rand.N(r.late))
	default:
		return true
	}
	select {
	case <-arrives:
		return true
	case <-r.over:
		return false
	}
}
