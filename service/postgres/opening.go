package postgres

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// openAtOnce is how many connections one replica opens at a time.
const openAtOnce = 2

// opening holds a token for each connection that is being opened. Opening one costs the server a process and a password check. If
// all operations of all replicas open theirs at once on a busy machine, all of them take long, also those that are needed first.
type opening chan struct{}

func newOpening() opening { return make(opening, openAtOnce) }

// full reports whether whoever opens one more has to wait for its turn.
func (o opening) full() bool { return len(o) == cap(o) }

// bound has the connection that is made from c wait for its turn to dial. Its turn is over when it is made, or when its socket is closed.
func (o opening) bound(c *pgconn.Config) {
	var made atomic.Bool
	over := func() {}
	dial := c.DialFunc
	c.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		switch cancels := hasLonger(ctx, c.ConnectTimeout); {
		case made.Load(): // a second socket, by which a query is cancelled
			return dial(ctx, network, addr)
		case cancels:
			return nil, errNothingToCancel
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

// errNothingToCancel is for pgx, which wants to cancel a query also if a connection breaks before it is made. A second socket would keep a
// turn for 15 s if the server says nothing, and two of these are all there are.
var errNothingToCancel = errors.New("no query is under way")

// hasLonger reports whether the context has a deadline that is later than that of a connection that is being opened: pgx cancels a query
// within a time of its own, by the same DialFunc.
func hasLonger(ctx context.Context, opening time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) > opening
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
