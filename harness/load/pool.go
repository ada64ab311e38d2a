package load

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// idleTimeout is below what servers and balancers usually grant. So no request is written to a connection that the other
	// side is just about to close.
	idleTimeout = 5 * time.Second
	// dialsAtOnce keeps the opening of many connections from overflowing the listener's queue.
	dialsAtOnce = 32
)

// pool keeps connections to one address between requests, the longest unused first. It does not limit their number.
type pool struct {
	addr string

	mu     sync.Mutex
	idle   []*conn
	closed bool
}

// get takes an idle connection that is still good, or nil.
func (p *pool) get() *conn {
	for {
		c := p.pop()
		if c == nil {
			return nil
		}
		if time.Since(c.idleSince) < idleTimeout && idleConnAlive(c.raw) {
			return c
		}
		_ = c.Close() // the other side has closed it, or may do so at any moment
	}
}

func (p *pool) pop() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == 0 {
		return nil
	}
	last := len(p.idle) - 1
	c := p.idle[last]
	p.idle = p.idle[:last]
	return c
}

// put gives a connection back, and closes one that nobody has needed for long.
func (p *pool) put(c *conn) {
	c.idleSince = time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = c.Close()
		return
	}
	p.idle = append(p.idle, c)
	if old := p.idle[0]; time.Since(old.idleSince) > idleTimeout {
		p.idle = p.idle[1:]
		_ = old.Close()
	}
}

// open makes a connection that is not in the pool yet.
func (p *pool) open(ctx context.Context) (*conn, error) { return dial(ctx, p.addr) }

// preconnect opens connections until n are idle. One that cannot be opened is left to the request that will need it, where
// the failure is recorded.
func (p *pool) preconnect(ctx context.Context, n int) {
	var dialling errgroup.Group
	dialling.SetLimit(dialsAtOnce)
	for range n - p.size() {
		dialling.Go(func() error {
			c, err := p.open(ctx)
			if err == nil {
				p.put(c)
			}
			return err
		})
	}
	_ = dialling.Wait()
}

func (p *pool) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.idle)
}

func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, c := range p.idle {
		_ = c.Close()
	}
	p.idle = nil
}
