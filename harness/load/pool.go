package load

import (
	"context"
	"sync"
	"time"
)

const (
	// idleTimeout is below what servers and balancers usually grant, so that it is not us who use a connection that the
	// other side is just about to close.
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
		if time.Since(c.idleSince) < idleTimeout && silent(c.raw) {
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

// fill opens connections until n are idle. One that can not be opened is left to the request that will need it, where
// the failure is recorded.
func (p *pool) fill(ctx context.Context, n int) {
	var dialling sync.WaitGroup
	defer dialling.Wait()
	turn := make(chan struct{}, dialsAtOnce)
	for range n - p.size() {
		turn <- struct{}{}
		dialling.Go(func() {
			if c, err := p.open(ctx); err == nil {
				p.put(c)
			}
			<-turn
		})
	}
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
