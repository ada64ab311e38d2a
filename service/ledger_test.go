package service_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sentinel-chaos/sentinel/service"
)

func newLedger(ledgerStore, outbox *store) *service.Ledger {
	return service.NewLedger(ledgerStore, outbox, 1000, slog.New(slog.NewTextHandler(io.Discard, nil)))
}

func hit(i int) service.Row {
	return service.Row{RequestID: fmt.Sprint("r", i), CallID: "c", Kind: service.RowHit, At: time.Now()}
}

// run runs the ledger for a while.
func run(t *testing.T, l *service.Ledger, length time.Duration) {
	ctx, stop := context.WithTimeout(t.Context(), length)
	defer stop()
	l.Run(ctx)
}

func TestRowsReachTheLedgerStoreAndLeaveTheOutbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledgerStore, outbox := newStore(), newStore()
		l := newLedger(ledgerStore, outbox)
		for i := range 1200 { // more than two batches
			l.Record(t.Context(), hit(i))
		}
		if l.Pending() != 1200 || len(outbox.outbox) != 1200 {
			t.Fatalf("%d pending, %d in the outbox", l.Pending(), len(outbox.outbox))
		}
		run(t, l, 2*time.Second)
		if len(ledgerStore.rows) != 1200 || len(outbox.outbox) != 0 || l.Pending() != 0 {
			t.Errorf("%d booked, %d in the outbox, %d pending", len(ledgerStore.rows), len(outbox.outbox), l.Pending())
		}
	})
}

func TestRowsWaitForTheLedgerStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledgerStore, outbox := newStore(), newStore()
		l := newLedger(ledgerStore, outbox)
		ledgerStore.set(true)
		for i := range 10 {
			l.Record(t.Context(), hit(i))
		}
		run(t, l, 20*time.Second)
		if l.Pending() != 10 {
			t.Fatalf("%d pending during the outage", l.Pending())
		}
		ledgerStore.set(false)
		run(t, l, 3*time.Second)
		if len(ledgerStore.rows) != 10 || l.Pending() != 0 {
			t.Errorf("%d booked, %d pending", len(ledgerStore.rows), l.Pending())
		}
	})
}

func TestRowsSurviveTheOutbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledgerStore, outbox := newStore(), newStore()
		l := newLedger(ledgerStore, outbox)
		l.Record(t.Context(), hit(0))
		outbox.set(true)
		l.Record(t.Context(), hit(1))
		run(t, l, 2*time.Second)
		if len(ledgerStore.rows) != 2 {
			t.Errorf("%d of 2 rows booked", len(ledgerStore.rows))
		}
	})
}

// TestRowIsDurableBeforeItsAnswerIsGiven: a replica may die as soon as Record has returned. With neither store a row is in memory alone, and
// its request waits for half a second at most.
func TestRowIsDurableBeforeItsAnswerIsGiven(t *testing.T) {
	const write, gather, hedge, asyncBudget = 10 * time.Millisecond, 5 * time.Millisecond, 50 * time.Millisecond, 500 * time.Millisecond
	for _, c := range []struct {
		name                  string
		outboxDown, storeDown bool
		storeTakes            time.Duration
		within                time.Duration // the answer comes
		safe                  int           // rows that outlive the replica
	}{
		{"both up", false, false, write, 0, 8},
		{"no outbox", true, false, write, hedge + 2*write + 2*gather, 8},
		{"no ledger store", false, true, write, 0, 8},
		{"neither", true, true, write, hedge + asyncBudget, 0},
		{"no outbox, and a ledger store that takes too long", true, false, time.Second, hedge + asyncBudget, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ledgerStore, outbox := &slowLedgerStore{store: newStore(), takes: c.storeTakes}, newStore()
				l := service.NewLedger(ledgerStore, outbox, 1000, slog.New(slog.DiscardHandler))
				var asking sync.WaitGroup
				outbox.set(c.outboxDown)
				ledgerStore.set(c.storeDown)
				asked := time.Now()
				for i := range 8 {
					asking.Go(func() {
						time.Sleep(time.Duration(i) * time.Millisecond)
						l.Record(t.Context(), hit(i))
					})
				}
				asking.Wait()
				if took := time.Since(asked); took > c.within+8*time.Millisecond {
					t.Errorf("told after %s, want %s", took, c.within)
				}
				safe := map[string]bool{}
				for _, row := range append(ledgerStore.booked(), outbox.inOutbox()...) {
					safe[row.RequestID] = true
				}
				if len(safe) != c.safe {
					t.Errorf("%d rows of 8 were in a store when all were told, want %d", len(safe), c.safe)
				}
				time.Sleep(2 * time.Second) // attempts that nobody waits for any more end
			})
		})
	}
}

// TestStoredAnswerIsBookedBeforeItIsGiven: with Redis away a replica may die as soon as it has answered a client. The row of the
// flight's own request is written with the look-up, and the request waits for nothing more. Requests that share the flight wait
// for an asynchronous commit.
func TestStoredAnswerIsBookedBeforeItIsGiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const gather, hedge = 5 * time.Millisecond, 50 * time.Millisecond
		w := answeredWorld()
		w.redis.set(true)
		g, _ := w.gateway("gateway-1")
		began := time.Now()
		var asking sync.WaitGroup
		took := make([]time.Duration, 4)
		for i := range took {
			asking.Go(func() {
				id := fmt.Sprint("r", i)
				result, err := g.Answer(t.Context(), ask(id, "p"))
				took[i] = time.Since(began)
				if err != nil || result.Source != service.Stored || !slices.ContainsFunc(w.postgres.booked(), func(r service.Row) bool {
					return r.RequestID == id && r.CallID == "c" && r.Kind == service.RowHit
				}) {
					t.Errorf("%s was told %v, %v; the ledger store has %v", id, result, err, w.postgres.booked())
				}
			})
		}
		asking.Wait()
		slices.Sort(took)
		// The fake Redis is waited for in vain each time: to look, to ask for the lock, and to be given the answer.
		if want := 3 * storeBudget; took[0] != want || took[1] != want+hedge+gather {
			t.Errorf("told after %v, want %s and, of the others, %s", took, want, want+hedge+gather)
		}
	})
}

func TestRowsOfADeadReplicaAreSweptUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledgerStore, outbox := newStore(), newStore()
		dead, alive := newLedger(ledgerStore, outbox), newLedger(ledgerStore, outbox)
		for i := range 10 {
			dead.Record(t.Context(), hit(i))
		}
		run(t, alive, time.Second)
		if alive.Pending() != 10 {
			t.Errorf("the survivor knows of %d pending rows", alive.Pending())
		}
		run(t, alive, 5*time.Second)
		if len(ledgerStore.rows) != 10 || len(outbox.outbox) != 0 || alive.Pending() != 0 {
			t.Errorf("%d booked, %d in the outbox, %d pending", len(ledgerStore.rows), len(outbox.outbox), alive.Pending())
		}
	})
}

// After an outage of the ledger store, every replica brings its own rows and not those of the others as well.
func TestRowsThatWaitedAreNotOrphans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledgerStore, outbox := newStore(), newStore()
		slow, quick := newLedger(ledgerStore, outbox), newLedger(ledgerStore, outbox)
		ledgerStore.set(true)
		slow.Record(t.Context(), hit(0))
		quick.Record(t.Context(), hit(1))
		run(t, quick, 20*time.Second)
		ledgerStore.set(false)
		run(t, quick, 2*time.Second)
		if len(ledgerStore.rows) != 1 || quick.Pending() != 1 {
			t.Errorf("at first: %d booked, %d pending", len(ledgerStore.rows), quick.Pending())
		}
		run(t, quick, 4*time.Second)
		if len(ledgerStore.rows) != 2 || len(outbox.outbox) != 0 {
			t.Errorf("then: %d booked, %d in the outbox", len(ledgerStore.rows), len(outbox.outbox))
		}
	})
}

func TestFlushAtTheEnd(t *testing.T) {
	tests := []struct {
		name                           string
		storeDown, outboxDown, wantErr bool
		booked                         int
	}{
		{"both up", false, false, false, 3},
		{"no ledger store, rows in the outbox", true, false, false, 0},
		{"no outbox", false, true, false, 3},
		{"neither", true, true, true, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ledgerStore, outbox := newStore(), newStore()
				ledgerStore.set(test.storeDown)
				outbox.set(test.outboxDown)
				l := newLedger(ledgerStore, outbox)
				for i := range 3 {
					l.Record(t.Context(), hit(i))
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if err := l.Flush(ctx); (err != nil) != test.wantErr {
					t.Errorf("got %v", err)
				}
				if len(ledgerStore.rows) != test.booked {
					t.Errorf("%d rows booked", len(ledgerStore.rows))
				}
			})
		})
	}
}

// Rows that no store took as they came are put into the outbox as soon as that is back, and not only at the end: the process may be killed.
func TestRowsThatTheOutboxMissed(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, l *service.Ledger){
		"while it runs": func(t *testing.T, l *service.Ledger) { run(t, l, 3*time.Second) },
		"at the end": func(t *testing.T, l *service.Ledger) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := l.Flush(ctx); err != nil {
				t.Errorf("rows are in the outbox, and it says %v", err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ledgerStore, outbox := newStore(), newStore()
				ledgerStore.set(true)
				outbox.set(true)
				l := newLedger(ledgerStore, outbox)
				for i := range 3 {
					l.Record(t.Context(), hit(i))
				}
				outbox.set(false)
				end(t, l)
				if len(outbox.outbox) != 3 {
					t.Errorf("%d rows in the outbox, want 3", len(outbox.outbox))
				}
				ledgerStore.set(false)
				if err := l.Flush(t.Context()); err != nil || len(ledgerStore.rows) != 3 || len(outbox.outbox) != 0 {
					t.Errorf("then: %v, %d booked, %d in the outbox", err, len(ledgerStore.rows), len(outbox.outbox))
				}
			})
		})
	}
}

// slowOutbox takes a while for each row.
type slowOutbox struct {
	*store
	takes time.Duration
}

func (o *slowOutbox) Append(ctx context.Context, row service.Row) (service.Mark, error) {
	time.Sleep(o.takes)
	return o.store.Append(ctx, row)
}

// A ledger store that is back is given its rows, though there are many that a slow outbox missed and has not got yet.
func TestLedgerStoreIsAskedBesideASlowOutbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledgerStore, outbox := newStore(), &slowOutbox{store: newStore(), takes: 200 * time.Millisecond}
		l := service.NewLedger(ledgerStore, outbox, 1000, slog.New(slog.DiscardHandler))
		for i := range 100 {
			l.Keep(service.Entry{Row: hit(i)})
		}
		ledgerStore.set(true)
		time.AfterFunc(time.Second, func() { ledgerStore.set(false) })
		run(t, l, 4*time.Second)
		if booked := len(ledgerStore.booked()); booked != 100 {
			t.Errorf("3s after the ledger store was back %d rows of 100 were booked", booked)
		}
	})
}

// At the end a ledger store that takes longer than there is time leaves time enough for the outbox.
func TestOutboxIsAskedBesideASlowLedgerStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledgerStore, outbox := &slowLedgerStore{store: newStore(), takes: time.Hour}, newStore()
		outbox.set(true)
		l := service.NewLedger(ledgerStore, outbox, 1000, slog.New(slog.DiscardHandler))
		for i := range 3 {
			l.Record(t.Context(), hit(i))
		}
		outbox.set(false)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := l.Flush(ctx); err != nil || len(outbox.outbox) != 3 {
			t.Errorf("got %v, %d rows in the outbox", err, len(outbox.outbox))
		}
		time.Sleep(4 * time.Hour) // writes that nobody waits for end
	})
}

// The log has all of each row that neither store took.
func TestLostRowsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledgerStore, outbox := newStore(), newStore()
		ledgerStore.set(true)
		outbox.set(true)
		var log strings.Builder
		l := service.NewLedger(ledgerStore, outbox, 1000, slog.New(slog.NewJSONHandler(&log, nil)))
		for i := range 3 {
			l.Record(t.Context(), hit(i))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := l.Flush(ctx)
		for i := range 3 {
			if err == nil || !strings.Contains(log.String(), fmt.Sprintf(`"request_id":"r%d"`, i)) {
				t.Errorf("%v; the log says\n%s", err, &log)
			}
		}
	})
}

// Whoever asks how many rows wait does not wait for somebody to take the log: a second signal asks so.
func TestLedgerIsNotHeldByItsLog(t *testing.T) {
	ledgerStore, outbox := newStore(), newStore()
	ledgerStore.set(true)
	outbox.set(true)
	log, write := io.Pipe()
	l := service.NewLedger(ledgerStore, outbox, 1000, slog.New(slog.NewTextHandler(write, nil)))
	l.Keep(service.Entry{Row: hit(0)})
	over, end := context.WithCancel(t.Context())
	end()
	var all sync.WaitGroup
	defer all.Wait()
	defer log.Close()
	all.Go(func() { _ = l.Flush(over) })
	if _, err := log.Read(make([]byte, 1)); err != nil { // the rest of the line waits
		t.Fatal(err)
	}
	told := make(chan int64, 1)
	all.Go(func() { told <- l.Pending() })
	select {
	case n := <-told:
		if n != 1 {
			t.Errorf("%d rows wait", n)
		}
	case <-time.After(5 * time.Second):
		t.Error("it waits for the log")
	}
}

// Every answer has one row: the flight's request pays, the others do not.
func TestEveryAnswerHasOneRow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, away := range []string{"", "redis", "postgres"} {
			w := newWorld(300 * time.Millisecond)
			w.redis.set(away == "redis")
			w.postgres.set(away == "postgres")
			g, ledger := w.gateway("gateway-1")
			var rs results
			for i := range 5 {
				rs.ask(t.Context(), g, ask(fmt.Sprint("together", i), "p"))
			}
			rs.all.Wait()
			for i := range 5 {
				rs.ask(t.Context(), g, ask(fmt.Sprint("later", i), "p"))
			}
			rs.all.Wait()
			w.redis.set(false)
			w.postgres.set(false)
			if err := ledger.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			calls, requests, cost := 0, map[string]bool{}, int64(0)
			for _, row := range w.postgres.booked() {
				requests[row.RequestID] = true
				cost += row.Cost
				if row.Kind == service.RowCall {
					calls++
				}
			}
			if len(rs.errs) > 0 || len(requests) != 10 || len(w.postgres.booked()) != 10 || calls != 1 || cost != 7 {
				t.Errorf("%q away: %d rows for %d requests, %d calls, cost %d, errors %v",
					away, len(w.postgres.booked()), len(requests), calls, cost, rs.errs)
			}
		}
	})
}

// slowLedgerStore takes a while for each batch, and notes when batches came.
type slowLedgerStore struct {
	*store
	takes time.Duration
	came  []time.Time
}

func (b *slowLedgerStore) Write(ctx context.Context, rows []service.Row) error {
	b.mu.Lock()
	b.came = append(b.came, time.Now())
	b.mu.Unlock()
	time.Sleep(b.takes)
	return b.store.Write(ctx, rows)
}

func (b *slowLedgerStore) WriteAsync(ctx context.Context, rows []service.Row) error {
	return b.Write(ctx, rows)
}

// TestBacklogLeavesTheLedgerStoreTimeForOthers: what gathered in an outage comes with rests between, but not at the end of the process.
func TestBacklogLeavesTheLedgerStoreTimeForOthers(t *testing.T) {
	const takes = 100 * time.Millisecond
	for _, c := range []struct {
		name  string
		bring func(*testing.T, *service.Ledger)
		apart time.Duration
	}{
		{"while it runs", func(t *testing.T, l *service.Ledger) { run(t, l, 2*time.Second) }, 2 * takes},
		{"at the end", func(t *testing.T, l *service.Ledger) {
			if err := l.Flush(t.Context()); err != nil {
				t.Error(err)
			}
		}, takes},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ledgerStore, outbox := &slowLedgerStore{store: newStore(), takes: takes}, newStore()
				l := service.NewLedger(ledgerStore, outbox, 1000, slog.New(slog.DiscardHandler))
				for i := range 1200 {
					l.Record(t.Context(), hit(i))
				}
				c.bring(t, l)
				if len(ledgerStore.rows) != 1200 || len(ledgerStore.came) != 3 {
					t.Fatalf("%d rows in %d batches", len(ledgerStore.rows), len(ledgerStore.came))
				}
				for i := 1; i < len(ledgerStore.came); i++ {
					if apart := ledgerStore.came[i].Sub(ledgerStore.came[i-1]); apart != c.apart {
						t.Errorf("%s from batch %d to the next, want %s", apart, i, c.apart)
					}
				}
			})
		})
	}
}

// A row that the ledger store will never take holds up no other: not those of its own replica, nor those of a dead one.
func TestPoisonousRowIsSetAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledgerStore, outbox := newStore(), newStore()
		dead, alive := newLedger(ledgerStore, outbox), newLedger(ledgerStore, outbox)
		for _, l := range []*service.Ledger{dead, alive} {
			for i := range 601 { // more than a batch
				row := hit(i)
				row.CallID = fmt.Sprintf("c%p", l)
				if i == 300 {
					row.CallID = poison
				}
				l.Record(t.Context(), row)
			}
		}
		run(t, alive, 10*time.Second)
		if len(ledgerStore.rows) != 1200 || len(outbox.outbox) != 0 || alive.Pending() != 0 || alive.SetAside() != 2 {
			t.Errorf("%d booked, %d in the outbox, %d pending, %d set aside", len(ledgerStore.rows), len(outbox.outbox), alive.Pending(), alive.SetAside())
		}
	})
}
