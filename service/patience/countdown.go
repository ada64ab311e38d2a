package patience

import (
	"sync"
	"time"
)

// A countdown looks at the clock in parts of its length. It does not end before this many parts in a row, the last ones, were
// on time, or late by no more than timers are on a busy machine.
const (
	parts       = 10
	undisturbed = 2
	usualDelay  = 25 * time.Millisecond
)

// countdown calls a function when a length of time has passed, and this process could work at the end of it. A single timer
// would not tell: when a process is kept from the processor, by a crowd of requests as much as by its machine, that fires
// before the answers are read that came long ago.
type countdown struct {
	mu      sync.Mutex
	timer   *time.Timer
	end     time.Time
	part    time.Duration
	due     time.Time // when the part that runs is over
	onTime  int       // parts in a row
	then    func()
	stopped bool
}

func startCountdown(length time.Duration, then func()) *countdown {
	now := time.Now()
	c := &countdown{end: now.Add(length), part: length / parts, then: then}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.due = now.Add(c.part)
	c.timer = time.AfterFunc(c.part, c.tick)
	return c
}

func (c *countdown) tick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return
	}
	now := time.Now()
	if c.onTime++; now.Sub(c.due) > usualDelay {
		c.onTime = 0
	}
	left := c.end.Sub(now)
	if left <= 0 && c.onTime >= undisturbed {
		c.then()
		return
	}
	next := c.part
	if left > 0 {
		next = min(next, left)
	}
	c.due = now.Add(next)
	c.timer.Reset(next)
}

// stop ends it; the function is not called afterwards.
func (c *countdown) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	c.timer.Stop()
}
