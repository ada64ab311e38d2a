package patience

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// turns lets so many operations go on at a time. The next turn is that of the operation whose deadline is the nearest: when
// many wait, such as all those that have met a silence, the one that has waited longest elsewhere should not be last here.
type turns struct {
	mu      sync.Mutex
	free    int
	waiting waiters
}

func newTurns(n int) *turns { return &turns{free: n} }

// take waits for a turn, or returns the context's error.
func (t *turns) take(ctx context.Context) error {
	w := t.ask(ctx)
	select {
	case <-w.granted:
		return nil
	case <-ctx.Done():
	}
	if !t.withdraw(w) { // granted meanwhile
		t.give()
	}
	return ctx.Err()
}

func (t *turns) ask(ctx context.Context) *waiter {
	w := &waiter{granted: make(chan struct{})}
	w.deadline, w.hurried = ctx.Deadline()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.free > 0 {
		t.free--
		close(w.granted)
	} else {
		heap.Push(&t.waiting, w)
	}
	return w
}

// withdraw is false if the waiter waits no longer.
func (t *turns) withdraw(w *waiter) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if w.place < 0 || w.place >= len(t.waiting) || t.waiting[w.place] != w {
		return false
	}
	heap.Remove(&t.waiting, w.place)
	return true
}

// give passes a turn on.
func (t *turns) give() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.waiting) == 0 {
		t.free++
		return
	}
	next, _ := heap.Pop(&t.waiting).(*waiter)
	close(next.granted)
}

// waiter is an operation that waits for its turn.
type waiter struct {
	granted  chan struct{}
	deadline time.Time
	hurried  bool // it has a deadline
	place    int  // in the heap; -1 outside of it
}

// waiters are a heap, the nearest deadline first.
type waiters []*waiter

func (ws waiters) Len() int { return len(ws) }

func (ws waiters) Less(i, j int) bool {
	if ws[i].hurried != ws[j].hurried {
		return ws[i].hurried
	}
	return ws[i].deadline.Before(ws[j].deadline)
}

func (ws waiters) Swap(i, j int) {
	ws[i], ws[j] = ws[j], ws[i]
	ws[i].place, ws[j].place = i, j
}

// Push is for container/heap alone, like Pop.
func (ws *waiters) Push(w any) {
	one, _ := w.(*waiter)
	one.place = len(*ws)
	*ws = append(*ws, one)
}

// Pop takes the last one.
func (ws *waiters) Pop() any {
	last := len(*ws) - 1
	w := (*ws)[last]
	(*ws)[last] = nil
	*ws = (*ws)[:last]
	w.place = -1
	return w
}
