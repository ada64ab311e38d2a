package patience

import (
	"sync"
	"time"
)

// parts is in how many parts a countdown runs: a part that ends late does not shorten the others.
const parts = 10

// usualDelay is by how much timers are late on a machine that is busy and not overloaded. That much is part of the time that
// counts: left out of each part, it would make a budget a third longer than it says.
const usualDelay = 10 * time.Millisecond

// countdown calls a function when a length of time has passed in which this process could work. A single timer would
// also count the time in which a process is kept from the processor, by a crowd of requests as much as by its machine: then
// it fires before the answers are read that came long ago.
type countdown struct {
	mu      sync.Mutex
	timer   *time.Timer
	slice   time.Duration
	left    time.Duration
	began   time.Time // when the part that runs did
	then    func()
	stopped bool
}

func startCountdown(length time.Duration, then func()) *countdown {
	c := &countdown{slice: length / parts, left: length, began: time.Now(), then: then}
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
	now := time.Now()
	took := now.Sub(c.began)
	if took > c.slice+usualDelay {
		took = c.slice
	}
	if c.left -= took; c.left > 0 {
		c.began = now
		c.timer.Reset(min(c.slice, c.left))
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
