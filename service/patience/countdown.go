package patience

import (
	"sync"
	"time"
)

// parts is in how many parts a countdown runs: a part that ends late does not shorten the others.
const parts = 10

// countdown calls a function when a length of time has passed in which this process could work. A single timer would
// also count the time in which a process is kept from the processor, by a crowd of requests as much as by its machine: then
// it fires before the answers are read that came long ago.
type countdown struct {
	mu      sync.Mutex
	timer   *time.Timer
	slice   time.Duration
	left    int
	then    func()
	stopped bool
}

func startCountdown(length time.Duration, then func()) *countdown {
	c := &countdown{slice: length / parts, left: parts, then: then}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timer = time.AfterFunc(c.slice, c.tick)
	return c
}

func (c *countdown) tick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return
	}
	if c.left--; c.left > 0 {
		c.timer.Reset(c.slice)
		return
	}
	c.then()
}

// stop ends it; the function is not called afterwards.
func (c *countdown) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	c.timer.Stop()
}
