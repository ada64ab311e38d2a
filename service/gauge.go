package service

import "sync/atomic"

// Gauge counts what is going on now and remembers the most that ever was. The zero Gauge is ready for use.
type Gauge struct {
	now, high atomic.Int64
}

// Inc counts one more.
func (g *Gauge) Inc() {
	now := g.now.Add(1)
	for high := g.high.Load(); now > high && !g.high.CompareAndSwap(high, now); {
		high = g.high.Load()
	}
}

// Dec counts one less.
func (g *Gauge) Dec() { g.now.Add(-1) }

// Now is the number going on.
func (g *Gauge) Now() int64 { return g.now.Load() }

// HighWater is the largest Now since the start of the process.
func (g *Gauge) HighWater() int64 { return g.high.Load() }
