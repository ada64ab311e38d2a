package dependency

import (
	"sync"
	"time"
)

// stallThreshold is how late a deadline may fire. A later one means that the process itself stood still.
const stallThreshold = 100 * time.Millisecond

// readGrace is what a deadline that fires that late leaves for reading what arrived meanwhile: an answer that was paid for must
// not be thrown away unseen. Whatever the deadline was meant to protect has gone on without this process long ago.
const readGrace = 200 * time.Millisecond

// Deadline calls a function at a moment that can be moved.
type Deadline struct {
	expired func()
	timer   *time.Timer
	mu      sync.Mutex
	at      time.Time
}

// StartDeadline makes a Deadline that calls expired at the given moment, on a goroutine of its own.
func StartDeadline(at time.Time, expired func()) *Deadline {
	d := &Deadline{expired: expired, at: at}
	d.timer = time.AfterFunc(time.Until(at), d.fire)
	return d
}

// Reset sets another moment, unless the deadline has fired.
func (d *Deadline) Reset(at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer.Stop() {
		d.at = at
		d.timer.Reset(time.Until(at))
	}
}

// Stop keeps the deadline from firing, if it has not begun to.
func (d *Deadline) Stop() { d.timer.Stop() }

func (d *Deadline) fire() {
	d.mu.Lock()
	late := time.Since(d.at)
	d.mu.Unlock()
	if late > stallThreshold {
		time.Sleep(readGrace)
	}
	d.expired()
}
