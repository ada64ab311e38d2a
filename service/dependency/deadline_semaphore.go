package dependency

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// deadlineSemaphore lets so many operations go on at a time. The next slot goes to the operation with the nearest deadline. When
// many wait, as after an outage, the operation that has waited longest elsewhere should not be last here.
type deadlineSemaphore struct {
	mu      sync.Mutex
	free    int
	waiting waiters
}

func newDeadlineSemaphore(slots int) *deadlineSemaphore { return &deadlineSemaphore{free: slots} }

// acquire waits for a slot, or returns the context's error.
func (s *deadlineSemaphore) acquire(ctx context.Context) error {
	w := s.enqueue(ctx)
	select {
	case <-w.granted:
		return nil
	case <-ctx.Done():
	}
	if !s.remove(w) { // granted meanwhile
		s.release()
	}
	return ctx.Err()
}

func (s *deadlineSemaphore) enqueue(ctx context.Context) *waiter {
	w := &waiter{granted: make(chan struct{})}
	w.deadline, w.hasDeadline = ctx.Deadline()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free > 0 {
		s.free--
		close(w.granted)
	} else {
		heap.Push(&s.waiting, w)
	}
	return w
}

// remove returns false if the waiter waits no longer.
func (s *deadlineSemaphore) remove(w *waiter) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.index < 0 || w.index >= len(s.waiting) || s.waiting[w.index] != w {
		return false
	}
	heap.Remove(&s.waiting, w.index)
	return true
}

// release passes a slot on.
func (s *deadlineSemaphore) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) == 0 {
		s.free++
		return
	}
	next, _ := heap.Pop(&s.waiting).(*waiter)
	close(next.granted)
}

// waiter is an operation that waits for its slot.
type waiter struct {
	granted     chan struct{}
	deadline    time.Time
	hasDeadline bool
	index       int // in the heap; -1 outside of it
}

// waiters are a heap, the nearest deadline first.
type waiters []*waiter

func (ws waiters) Len() int { return len(ws) }

func (ws waiters) Less(i, j int) bool {
	if ws[i].hasDeadline != ws[j].hasDeadline {
		return ws[i].hasDeadline
	}
	return ws[i].deadline.Before(ws[j].deadline)
}

func (ws waiters) Swap(i, j int) {
	ws[i], ws[j] = ws[j], ws[i]
	ws[i].index, ws[j].index = i, j
}

// Push is for container/heap alone, like Pop.
func (ws *waiters) Push(w any) {
	one, _ := w.(*waiter)
	one.index = len(*ws)
	*ws = append(*ws, one)
}

// Pop takes the last one.
func (ws *waiters) Pop() any {
	last := len(*ws) - 1
	w := (*ws)[last]
	(*ws)[last] = nil
	*ws = (*ws)[:last]
	w.index = -1
	return w
}
