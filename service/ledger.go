package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sentinel-chaos/sentinel/service/dependency"
)

// Figures of the ledger's traffic.
const (
	flushEvery   = 200 * time.Millisecond // how long a row waits for others to share its transaction
	sweepEvery   = 500 * time.Millisecond // how often the outbox is looked at
	orphanAge    = 3 * time.Second        // a row that old in the outbox belongs to nobody who lives and reaches the ledger store
	batch        = 500                    // rows per transaction
	writeBudget  = 2 * time.Second        // for one batch
	longestRetry = time.Second            // between attempts on a store that fails
)

// Ledger brings rows to the ledger store. Until a row is there it is kept in two places: in this process's memory, which a fault
// of the outbox does not touch, and in the outbox, which survives this process. Another replica then sweeps the outbox. While
// the outbox is unavailable the second place is the ledger store itself, by an asynchronous commit.
type Ledger struct {
	store  LedgerStore
	outbox Outbox
	room   int
	log    *slog.Logger

	async asyncRows

	mu   sync.Mutex
	kept []Entry

	backlog atomic.Int64              // length of the outbox when last seen
	aside   atomic.Int64              // rows that were set aside
	refused atomic.Pointer[time.Time] // when the ledger store last did not take rows
}

// NewLedger makes a Ledger that keeps room rows in memory, beyond the one that each active request may add.
func NewLedger(store LedgerStore, outbox Outbox, room int, log *slog.Logger) *Ledger {
	return &Ledger{store: store, outbox: outbox, room: room, log: log, async: asyncRows{store: store}}
}

// Full reports whether no further row should be caused.
func (l *Ledger) Full() bool { return l.inMemory() >= l.room }

// Pending is the number of rows that are known not to be in the ledger store yet: those in memory or, if more, those in the
// outbox. The outbox normally holds the rows of all replicas; their number is up to sweepEvery old.
func (l *Ledger) Pending() int64 { return max(int64(l.inMemory()), l.backlog.Load()) }

func (l *Ledger) inMemory() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.kept)
}

// Record puts the row into the outbox and keeps it. If the outbox is unavailable, or takes longer than hedgeDelay, the row goes to the
// ledger store by an asynchronous commit. If that takes longer than asyncBudget, or fails, the row is in memory alone until the next
// flush. What the outbox took too late is swept.
func (l *Ledger) Record(ctx context.Context, row Row) {
	hedged, giveUp := context.WithCancel(ctx) // no deadline: for that a connection would be closed
	defer giveUp()
	defer time.AfterFunc(hedgeDelay, giveUp).Stop()
	mark, err := l.outbox.Append(hedged, row)
	if err != nil {
		mark = ""
		_ = l.async.write(ctx, row)
	}
	l.Keep(Entry{Row: row, Mark: mark})
}

// Keep takes a row that is durable already: in the outbox, if it has a mark, or in the ledger store by an asynchronous commit.
func (l *Ledger) Keep(e Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept = append(l.kept, e)
}

// Run flushes and sweeps until the context ends.
func (l *Ledger) Run(ctx context.Context) {
	ctx = dependency.InBackground(ctx)
	var running sync.WaitGroup
	running.Go(func() { l.every(ctx, flushEvery, l.flushGently) })
	running.Go(func() { l.every(ctx, sweepEvery, l.sweep) })
	running.Wait()
}

// every repeats work, waiting longer after failures.
func (l *Ledger) every(ctx context.Context, interval time.Duration, work func(context.Context) error) {
	calm := dependency.Backoff{Next: interval, Most: interval}
	failing := false
	for backoff := calm; backoff.Wait(ctx) == nil; {
		err := work(ctx)
		switch {
		case err == nil && failing:
			l.log.Info("ledger rows move again", "pending", l.Pending())
		case err != nil && !failing && ctx.Err() == nil:
			l.log.Warn("ledger rows wait", "pending", l.Pending(), "error", err)
		}
		failing = err != nil
		if failing {
			backoff.Most = longestRetry
		} else {
			backoff = calm
		}
	}
}

// flushGently writes what is in memory to the ledger store, batch by batch. It rests after each batch for as long as the batch
// took, within bounds: a ledger store that comes back shares its database with requests.
func (l *Ledger) flushGently(ctx context.Context) error {
	for {
		began := time.Now()
		written, err := l.flushBatch(ctx)
		if err != nil {
			l.shelterBriefly(ctx)
		}
		if err != nil || written < batch {
			return err
		}
		if err := dependency.Sleep(ctx, min(time.Since(began), flushEvery)); err != nil {
			return err
		}
	}
}

// flush writes all that is in memory to the ledger store.
func (l *Ledger) flush(ctx context.Context) error {
	for {
		if written, err := l.flushBatch(ctx); err != nil || written == 0 {
			return err
		}
	}
}

// flushBatch writes the oldest rows, and returns how many.
func (l *Ledger) flushBatch(ctx context.Context) (written int, err error) {
	entries := l.oldest(batch)
	if len(entries) == 0 {
		return 0, nil
	}
	if err := l.write(ctx, entries); err != nil {
		return 0, err
	}
	l.drop(len(entries))
	return len(entries), nil
}

// oldest returns a copy of the first n entries at most; they stay in place until dropped, and only flush drops.
func (l *Ledger) oldest(n int) []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.kept[:min(n, len(l.kept))])
}

func (l *Ledger) drop(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.kept[:n]) // the array lives on until append outgrows it; the rows need not
	l.kept = l.kept[n:]
}

// write brings entries to the ledger store. If that will never take one of them, it halves them until the one is alone and set aside:
// nothing else must wait behind it. What is written before an error is written again the next time, to no effect.
func (l *Ledger) write(ctx context.Context, entries []Entry) error {
	err := l.writeAll(ctx, entries)
	switch half := len(entries) / 2; {
	case !errors.Is(err, dependency.ErrNever):
		return err
	case half > 0:
		if err := l.write(ctx, entries[:half]); err != nil {
			return err
		}
		return l.write(ctx, entries[half:])
	}
	l.setAside(ctx, entries[0], err)
	return nil
}

// setAside gives up a row. The log has all of it, for whoever books it by hand.
func (l *Ledger) setAside(ctx context.Context, e Entry, cause error) {
	l.aside.Add(1)
	l.log.Error("a ledger row is set aside: the ledger store will never take it", "row", e.Row, "error", cause)
	if e.Mark != "" {
		_ = l.outbox.Forget(ctx, []Mark{e.Mark}) // what stays in the outbox is swept, and set aside once more
	}
}

// SetAside is the number of rows that this process has given up, because the ledger store will never take them.
func (l *Ledger) SetAside() int64 { return l.aside.Load() }

// writeAll writes entries in one transaction and only then takes them from the outbox.
func (l *Ledger) writeAll(ctx context.Context, entries []Entry) error {
	rows := make([]Row, len(entries))
	marks := make([]Mark, 0, len(entries))
	for i, e := range entries {
		rows[i] = e.Row
		if e.Mark != "" {
			marks = append(marks, e.Mark)
		}
	}
	bounded, cancel := context.WithTimeout(ctx, writeBudget)
	defer cancel()
	if err := l.store.Write(bounded, rows); err != nil {
		if !errors.Is(err, dependency.ErrNever) { // that is of the rows
			now := time.Now()
			l.refused.Store(&now)
		}
		return fmt.Errorf("write %d rows: %w", len(rows), err)
	}
	_ = l.outbox.Forget(ctx, marks) // what stays in the outbox is swept, and written once more to no effect
	return nil
}

// sweep brings rows to the ledger store whose replica died before it did so itself. After an outage of the ledger store every row
// is as old as an orphan's; the replicas that live get the time to bring their own.
func (l *Ledger) sweep(ctx context.Context) error {
	limit := batch
	if refused := l.refused.Load(); refused != nil && time.Since(*refused) < orphanAge {
		limit = 0
	}
	orphans, length, err := l.outbox.Orphans(ctx, orphanAge, limit)
	if err != nil {
		return fmt.Errorf("read outbox: %w", err)
	}
	l.backlog.Store(length)
	if len(orphans) == 0 {
		return nil
	}
	if err := l.write(ctx, orphans); err != nil {
		return err
	}
	l.backlog.Add(-int64(len(orphans)))
	return nil
}

// Flush empties the memory at the end of the process. It returns nil when every row is in the ledger store, or at least in the
// outbox, where another replica finds it. A ledger store that is slow may take all the time that there is. So the outbox is asked beside it.
func (l *Ledger) Flush(ctx context.Context) error {
	for backoff := (dependency.Backoff{Next: flushEvery / 10, Most: flushEvery}); ; {
		err := l.flushOrShelter(ctx)
		if err == nil {
			return nil
		}
		if backoff.Wait(ctx) != nil {
			return l.unsafeRows(err)
		}
	}
}

// flushOrShelter returns nil if all rows are in the ledger store. If that takes longer than hedgeDelay they are sheltered meanwhile.
func (l *Ledger) flushOrShelter(ctx context.Context) error {
	hedged, flushed := context.WithCancel(ctx)
	var sheltering sync.WaitGroup
	sheltering.Go(func() {
		if dependency.Sleep(hedged, hedgeDelay) == nil {
			l.shelter(hedged)
		}
	})
	err := l.flush(ctx)
	if err == nil {
		flushed()
	}
	sheltering.Wait()
	flushed()
	return err
}

// shelterBriefly lets the ledger store be asked again before all rows are in an outbox that is slow.
func (l *Ledger) shelterBriefly(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, writeBudget)
	defer cancel()
	l.shelter(ctx)
}

// shelter puts rows into the outbox that it missed while it was unavailable, as the ledger store does not take them. A row that both take in the
// end is one row.
func (l *Ledger) shelter(ctx context.Context) {
	marks := make(map[string]Mark)
	for _, row := range l.unsheltered() {
		mark, err := l.outbox.Append(ctx, row)
		if err != nil {
			break
		}
		marks[row.ID()] = mark
	}
	l.sheltered(marks)
}

// unsheltered returns the rows that are not known to be in the outbox.
func (l *Ledger) unsheltered() (rows []Row) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.kept {
		if e.Mark == "" {
			rows = append(rows, e.Row)
		}
	}
	return rows
}

// sheltered keeps the places of rows in the outbox, by the ids of the rows.
func (l *Ledger) sheltered(marks map[string]Mark) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, e := range l.kept {
		if mark, ok := marks[e.Row.ID()]; ok && e.Mark == "" {
			l.kept[i].Mark = mark
		}
	}
}

// unsafeRows returns nil if the rows that did not reach the ledger store are safe in the outbox. The log has all of each that is not, for
// whoever books it by hand.
func (l *Ledger) unsafeRows(cause error) error {
	lost := l.unsheltered()
	for _, row := range lost { // unlocked: perhaps nobody takes the log
		l.log.Error("a ledger row is lost: it is in neither outbox nor ledger store", "row", row)
	}
	if len(lost) == 0 {
		return nil
	}
	return fmt.Errorf("%d ledger rows are in neither outbox nor ledger store: %w", len(lost), cause)
}
