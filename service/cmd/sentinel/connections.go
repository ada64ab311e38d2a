package main

import (
	"io"
	"net"
	"sync"
	"time"
)

// linger is how long the client of a connection that is closed has to read the last answers: what net/http gives it where it knows that some of
// the request was not read.
const linger = 500 * time.Millisecond

// listener accepts connections that close so that their last answers arrive.
type listener struct {
	net.Listener
	places chan struct{} // holds a token for each connection that is open; nil for any number
	closed chan struct{}
	close  func() error
}

// newListener makes one of a listener of TCP. At most so many connections are open at a time, and others wait to be accepted; 0 is any number.
func newListener(tcp net.Listener, most int) *listener {
	l := &listener{Listener: tcp, closed: make(chan struct{})}
	if most > 0 {
		l.places = make(chan struct{}, most)
	}
	l.close = sync.OnceValue(func() error {
		close(l.closed)
		return tcp.Close()
	})
	return l
}

// Accept waits for a place, and then for a connection.
func (l *listener) Accept() (net.Conn, error) {
	leave := func() {}
	if l.places != nil {
		select {
		case l.places <- struct{}{}:
			leave = func() { <-l.places }
		case <-l.closed:
			return nil, net.ErrClosed
		}
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		leave()
		return nil, err
	}
	tcp, _ := conn.(*net.TCPConn) // as a listener of TCP gives them
	c := &connection{TCPConn: tcp}
	c.end = sync.OnceFunc(func() { go c.finish(leave) })
	return c, nil
}

// Close has nobody accepted any more.
func (l *listener) Close() error { return l.close() }

// connection is one of a client.
type connection struct {
	*net.TCPConn
	end func()
}

// Close ends the connection as soon as its client does, or when linger is over. Closed at once, with something of it unread, it would be reset, and
// answers that are still on their way would be lost: a refusal that comes before the body does, and those before it.
func (c *connection) Close() error {
	c.end()
	return nil
}

func (c *connection) finish(leave func()) {
	defer leave()
	_ = c.CloseWrite()
	_ = c.SetReadDeadline(time.Now().Add(linger))
	_, _ = io.Copy(io.Discard, c.TCPConn)
	_ = c.TCPConn.Close()
}
