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
	// dialTimeout is short, since nothing answers at the address of a node that is gone.
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
	last      bool  // nothing can follow the response that was read
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

// receive reads the response to req, body included, as far as it goes: its status is 0 without a response.
func (c *conn) receive(req *http.Request) (Response, error) {
	r, err := c.read(req)
	if err != nil && c.broken != nil {
		err = c.broken
	}
	return r, err
}

func (c *conn) read(req *http.Request) (Response, error) {
	resp, err := http.ReadResponse(c.in, req)
	for err == nil && resp.StatusCode < http.StatusOK && resp.StatusCode != http.StatusSwitchingProtocols {
		resp, err = http.ReadResponse(c.in, req) // that was an informational one
	}
	if err != nil {
		return Response{}, err
	}
	c.last = resp.Close || resp.StatusCode == http.StatusSwitchingProtocols
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err == nil && len(body) > maxBody {
		err = errTooLong
	}
	return Response{Status: resp.StatusCode, Header: resp.Header, Body: body}, err
}

// reusable reports whether another request can follow the response that was read.
func (c *conn) reusable() bool { return !c.last && c.in.Buffered() == 0 }
