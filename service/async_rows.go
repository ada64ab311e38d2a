package service

import (
	"context"
	"sync"
	"time"
)

// Bounds of rows that answers wait for.
const (
	asyncBudget = 500 * time.Millisecond // for each: what the ledger store may take for anything else
	asyncGather = 5 * time.Millisecond   // a commit takes about that long, and all who met an outage come when it is found out
)

// asyncRows writes rows by asynchronous commit for those who wait for it, as group commits: one transaction after another, each
// with all rows that have come by then.
type asyncRows struct {
	store   LedgerStore
	mu      sync.Mutex
	waiting []waitingRow
	busy    bool
}

type waitingRow struct {
	row  Row
	done chan<- error
}

// write returns nil when the row is written. With an error it may be written all the same, now or later.
func (a *asyncRows) write(ctx context.Context, row Row) error {
	ctx, cancel := context.WithTimeout(ctx, asyncBudget)
	defer cancel()
	done := make(chan error, 1)
	a.mu.Lock()
	a.waiting = append(a.waiting, waitingRow{row, done})
	if !a.busy {
		a.busy = true
		go a.work()
	}
	a.mu.Unlock()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// work commits rows until nobody waits.
func (a *asyncRows) work() {
	for more := true; more; more = a.wanted() {
		time.Sleep(asyncGather)
		a.commit(a.take())
	}
}

// take returns the rows that have waited the longest.
func (a *asyncRows) take() []waitingRow {
	a.mu.Lock()
	defer a.mu.Unlock()
	count := min(batch, len(a.waiting))
	rows := a.waiting[:count:count]
	a.waiting = a.waiting[count:]
	return rows
}

// wanted reports whether somebody waits. If not, whoever comes next begins anew.
func (a *asyncRows) wanted() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.busy = len(a.waiting) > 0
	return a.busy
}

func (a *asyncRows) commit(waiting []waitingRow) {
	ctx, cancel := context.WithTimeout(context.Background(), asyncBudget)
	defer cancel()
	rows := make([]Row, len(waiting))
	for i, w := range waiting {
		rows[i] = w.row
	}
	err := a.store.WriteAsync(ctx, rows)
	for _, w := range waiting {
		w.done <- err
	}
}
