package dependency

import (
	"sync"
	"time"
)

// A stallTimer ticks several times on its way. It fires only when the last onTimeTicks ticks were on time. A tick may be late by
// timerSlack, as timers are on a busy machine. After mostLengths of its length it fires all the same: a process that never has the
// processor in time, as under a quota that is used up, would wait for ever.
const (
	ticks       = 10
	onTimeTicks = 2
	timerSlack  = 25 * time.Millisecond
	mostLengths = 2
)

// stallTimer calls a function when a length of time has passed and this process could work at the end of it. A crowd of requests,
// or the machine, can keep a process from the processor. A plain timer then fires before the answers are read that came long
// ago. If this process stood still over the latest end, the timer leaves one tick more for reading these.
type stallTimer struct {
	mu       sync.Mutex
	timer    *time.Timer
	end      time.Time
	latest   time.Time     // end, whatever disturbs this process
	last     bool          // the next tick is the last one
	interval time.Duration // between ticks
	due      time.Time     // of the next tick
	onTime   int           // ticks in a row
	fire     func()
	stopped  bool
}

func startStallTimer(length time.Duration, fire func()) *stallTimer {
	now := time.Now()
	t := &stallTimer{end: now.Add(length), latest: now.Add(mostLengths * length), interval: length / ticks, fire: fire}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.due = now.Add(t.interval)
	t.timer = time.AfterFunc(t.interval, t.tick)
	return t
}

func (t *stallTimer) tick() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped {
		return
	}
	now := time.Now()
	if t.onTime++; now.Sub(t.due) > timerSlack {
		t.onTime = 0
	}
	left := t.end.Sub(now)
	if left <= 0 && t.onTime >= onTimeTicks || t.last {
		t.fire()
		return
	}
	t.last = !now.Before(t.latest)
	next := t.interval
	if left > 0 {
		next = min(next, left)
	}
	t.due = now.Add(next)
	t.timer.Reset(next)
}

// stop keeps the timer from firing afterwards.
func (t *stallTimer) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
	t.timer.Stop()
}
