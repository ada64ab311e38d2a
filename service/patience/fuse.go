package patience

import (
	"sync"
	"time"
)

// What ends later than stoodStill after its moment tells that the process itself stood still.
const stoodStill = 100 * time.Millisecond

// linger is what a fuse that burns out that late leaves for what arrived meanwhile to be read: an answer that was paid for
// must not be thrown away unseen, and whoever the moment was meant for has long gone on.
const linger = 200 * time.Millisecond

// Fuse calls a function at a moment that can be put off.
type Fuse struct {
	burn  func()
	timer *time.Timer
	mu    sync.Mutex
	at    time.Time
}

// Light makes a Fuse that calls burn at the given moment, on a goroutine of its own.
func Light(at time.Time, burn func()) *Fuse {
	f := &Fuse{burn: burn, at: at}
	f.timer = time.AfterFunc(time.Until(at), f.end)
	return f
}

// PutOff sets another moment, unless the fuse has burnt out.
func (f *Fuse) PutOff(at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.timer.Stop() {
		f.at = at
		f.timer.Reset(time.Until(at))
	}
}

// Stop keeps the fuse from burning out, if it has not begun to.
func (f *Fuse) Stop() { f.timer.Stop() }

func (f *Fuse) end() {
	f.mu.Lock()
	late := time.Since(f.at)
	f.mu.Unlock()
	if late > stoodStill {
		time.Sleep(linger)
	}
	f.burn()
}
