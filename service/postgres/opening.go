package postgres

import (
	"context"
	"net"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgconn"
)

// openAtOnce is how many connections one replica opens at a time.
const openAtOnce = 2

// opening holds a token for each connection that is being opened. Opening one costs the server a process and a password check. If
// all operations of all replicas open theirs at once on a busy machine, all of them take long, also those that are needed first.
type opening chan struct{}

func newOpening() opening { return make(opening, openAtOnce) }

// bound has the connection that is made from c wait for its turn to dial. Its turn is over when it is made, or when its socket is closed.
func (o opening) bound(c *pgconn.Config) {
	var made atomic.Bool
	over := func() {}
	dial := c.DialFunc
	c.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if made.Load() { // a second socket, by which a query is cancelled
			return dial(ctx, network, addr)
		}
		select {
		case o <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		over = sync.OnceFunc(func() { <-o })
		conn, err := dial(ctx, network, addr)
		if err != nil {
			over()
			return nil, err
		}
		return &openingConn{conn, over}, nil
	}
	c.AfterConnect = func(context.Context, *pgconn.PgConn) error {
		made.Store(true)
		over()
		return nil
	}
}

// openingConn is a socket that gives its turn back when it is closed.
type openingConn struct {
	net.Conn
	over func()
}

func (c *openingConn) Close() error {
	c.over()
	return c.Conn.Close()
}
