package service

import (
	"context"
	"sync"
	"time"
)

// Bounds of rows that answers wait for.
const (
	notePatience = 500 * time.Millisecond // for each: what the book's keeper may take for anything else
	noteGather   = 5 * time.Millisecond   // a transaction takes about that long, and all who met a silence come when it is found out
)

// notes has rows noted in the book for those who wait for it: one transaction after another, each with all rows that have come by
// then.
type notes struct {
	book    Book
	mu      sync.Mutex
	waiting []waitingRow
	busy    bool
}

type waitingRow struct {
	row  Row
	done chan<- error
}

// add returns nil when the row is noted. With an error it may be all the same, now or later.
func (n *notes) add(ctx context.Context, row Row) error {
	ctx, cancel := context.WithTimeout(ctx, notePatience)
	defer cancel()
	done := make(chan error, 1)
	n.mu.Lock()
	n.waiting = append(n.waiting, waitingRow{row, done})
	if !n.busy {
		n.busy = true
		go n.work()
	}
	n.mu.Unlock()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// work notes rows until nobody waits.
func (n *notes) work() {
	for more := true; more; more = n.wanted() {
		time.Sleep(noteGather)
		n.note(n.take())
	}
}

// take returns the rows that have waited the longest.
func (n *notes) take() []waitingRow {
	n.mu.Lock()
	defer n.mu.Unlock()
	count := min(batch, len(n.waiting))
	rows := n.waiting[:count:count]
	n.waiting = n.waiting[count:]
	return rows
}

// wanted says whether somebody waits. If not, whoever comes next begins anew.
func (n *notes) wanted() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.busy = len(n.waiting) > 0
	return n.busy
}

func (n *notes) note(waiting []waitingRow) {
	ctx, cancel := context.WithTimeout(context.Background(), notePatience)
	defer cancel()
	rows := make([]Row, len(waiting))
	for i, w := range waiting {
		rows[i] = w.row
	}
	err := n.book.Note(ctx, rows)
	for _, w := range waiting {
		w.done <- err
	}
}
