package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"
)

const (
	// dialTimeout is short, since the address of a dead container is a black hole.
	dialTimeout = 2 * time.Second
	// maxBody bounds what a response can cost in memory, in bytes.
	maxBody = 16 << 20
)

// errDial says that the request never left, errTooLong that a response is beyond all measure.
var (
	errDial    = errors.New("open a connection")
	errTooLong = fmt.Errorf("the body is longer than %d bytes", maxBody)
)

// conn is an HTTP/1.1 connection that carries one request at a time and never repeats one. net/http's own client is not
// used since it decides by itself what to send again, and needs two more goroutines per connection to do so.
type conn struct {
	net.Conn
	raw       syscall.RawConn
	in        *bufio.Reader
	broken    error // of the last read that failed
	idleSince time.Time
}

// Read remembers errors: a parser that is cut short may complain of what it has read so far, not of the cut.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil {
		c.broken = err
	}
	return n, err
}

// dial opens a connection.
func dial(ctx context.Context, addr string) (*conn, error) {
	d := net.Dialer{Timeout: dialTimeout}
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDial, err)
	}
	raw, err := nc.(*net.TCPConn).SyscallConn()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", errDial, err), nc.Close())
	}
	c := &conn{Conn: nc, raw: raw}
	c.in = bufio.NewReader(c)
	return c, nil
}

// reply is a response as far as it was read.
type reply struct {
	status int // 0 without a response
	header http.Header
	body   []byte
	last   bool // nothing can follow on the same connection
}

// receive reads the response to req, body included.
func (c *conn) receive(req *http.Request) (reply, error) {
	r, err := c.read(req)
	if err != nil && c.broken != nil {
		err = c.broken
	}
	return r, err
}

func (c *conn) read(req *http.Request) (reply, error) {
	resp, err := http.ReadResponse(c.in, req)
	for err == nil && resp.StatusCode < http.StatusOK && resp.StatusCode != http.StatusSwitchingProtocols {
		resp, err = http.ReadResponse(c.in, req) // that was an informational one
	}
	if err != nil {
		return reply{}, err
	}
	r := reply{status: resp.StatusCode, header: resp.Header, last: resp.Close || resp.StatusCode == http.StatusSwitchingProtocols}
	r.body, err = io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err == nil && len(r.body) > maxBody {
		err = errTooLong
	}
	return r, err
}

// reusable reports whether another request can follow.
func (c *conn) reusable(r reply) bool { return !r.last && c.in.Buffered() == 0 }
