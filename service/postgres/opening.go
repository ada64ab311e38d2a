package postgres

import (
	"context"
	"sync"
	"time"
)

// openAtOnce is how many connections one replica opens at a time.
const openAtOnce = 2

// opening bounds the connections that are being opened. Opening one costs the server a process and a password check. If all
// operations of all replicas open theirs at once on a busy machine, none is open before connectTimeout, all of the work is lost,
// and they begin again: an overload that goes on after its cause is gone.
type opening struct {
	slots chan struct{}

	mu    sync.Mutex
	since []*time.Timer // of those under way, the oldest first: each gives its slot back when it cannot succeed any more
}

func newOpening() *opening { return &opening{slots: make(chan struct{}, openAtOnce)} }

// begin waits for a slot.
func (o *opening) begin(ctx context.Context) error {
	select {
	case o.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.since = append(o.since, time.AfterFunc(connectTimeout, o.end))
	return nil
}

// end gives back the slot of the oldest one under way: it is open, or has failed. Which of them it is makes no difference.
func (o *opening) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.since) == 0 {
		return
	}
	o.since[0].Stop()
	o.since = o.since[1:]
	<-o.slots
}
