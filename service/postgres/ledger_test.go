package postgres

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sentinel-chaos/sentinel/service"
	"github.com/sentinel-chaos/sentinel/service/internal/servers"
)

// TestWriteAsyncWaitsForNoStandby has every commit wait for a standby that never comes. Rows that are written asynchronously are
// there for others all the same, also a row that came with an Acquire. The Write that follows waits, although the rows are there,
// and leaves one row of each.
func TestWriteAsyncWaitsForNoStandby(t *testing.T) {
	s := openStore(t, servers.StartPostgres(t), 5)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows := []service.Row{{RequestID: "r1", Tenant: "acme", Kind: service.RowHit, CallID: "c", At: time.Now(), Replica: "gateway-1", Boot: "b"}}
	rows = append(rows, rows[0])
	key := "answered"
	if _, err := s.Acquire(t.Context(), key, "a", time.Hour, nil); err != nil {
		t.Fatal(err)
	}
	end := service.Settlement{Key: key, Token: "a", Answer: service.Answer{CallID: "c2"}, ExpiresAt: time.Now().Add(time.Hour)}
	if receipt, err := s.Settle(t.Context(), end); err != nil || !receipt.Stored {
		t.Fatal(receipt, err)
	}
	expectStandby(t, s, "nobody")
	patient, stop := context.WithTimeout(t.Context(), budget)
	defer stop()
	if err := s.WriteAsync(patient, rows); err != nil {
		t.Fatal(err)
	}
	hit := service.Row{Serial: "s2", RequestID: "r1", Tenant: "acme", Key: key, Kind: service.RowHit, At: time.Now(), Replica: "gateway-1", Boot: "b", KeyID: "7"}
	other := hit // of another request that its client gave the same id
	other.Serial = "s3"
	for _, row := range []*service.Row{&hit, &hit, &other} {
		if reply, err := s.Acquire(patient, key, "b", time.Hour, row); err != nil || reply.Answer.CallID != "c2" || !reply.RowWritten {
			t.Fatal(reply, err)
		}
	}
	hit.CallID, other.CallID = "c2", "c2"
	rows = append(rows, hit, other)
	if n := countRows(t, s); n != 3 {
		t.Errorf("%d rows are there after two notes", n)
	}
	impatient, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := s.Write(impatient, rows); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Write did not wait for the standby: %v", err)
	}
	expectStandby(t, s, "")
	for _, bring := range []func(context.Context, []service.Row) error{s.Write, s.WriteAsync} {
		if err := bring(t.Context(), rows); err != nil {
			t.Error(err)
		}
	}
	if n := countRows(t, s); n != 3 {
		t.Errorf("%d rows are there in the end", n)
	}
	if used, err := s.Usage(t.Context(), "acme", time.Now().Add(-time.Hour), time.Now().Add(time.Hour)); err != nil || len(used) != 2 || used[1].KeyID != "7" || used[1].Requests != 2 {
		t.Errorf("%+v %v", used, err)
	}
}

// expectStandby names the standby that commits wait for, and returns when new transactions do.
func expectStandby(t *testing.T, s *Store, name string) {
	t.Helper()
	err := s.use(t.Context(), func(ctx context.Context, conn *pgxpool.Conn) error {
		if _, err := conn.Exec(ctx, "ALTER SYSTEM SET synchronous_standby_names = '"+name+"'"); err != nil {
			return err
		}
		_, err := conn.Exec(ctx, "SELECT pg_reload_conf()")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	servers.Await(t, "the setting holds", func(ctx context.Context) error {
		return s.use(ctx, func(ctx context.Context, conn *pgxpool.Conn) error {
			var now string
			if err := conn.QueryRow(ctx, "SHOW synchronous_standby_names").Scan(&now); err != nil {
				return err
			}
			if now != name {
				return errors.New("it is still " + now)
			}
			return nil
		})
	})
	if name == "" {
		return
	}
	committing, cancel := context.WithCancel(t.Context())
	var ended sync.WaitGroup
	defer ended.Wait()
	defer cancel()
	ended.Go(func() {
		for committing.Err() == nil { // until one commit waits
			_ = s.use(committing, func(ctx context.Context, conn *pgxpool.Conn) error {
				_, err := conn.Exec(ctx, heartbeatSQL, "any")
				return err
			})
		}
	})
	servers.Await(t, "a commit waits for the standby", func(ctx context.Context) error { // the server's checkpointer has to learn of it, too
		return s.use(ctx, func(ctx context.Context, conn *pgxpool.Conn) error {
			var waiting int
			err := conn.QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'").Scan(&waiting)
			if err == nil && waiting == 0 {
				err = errors.New("none does")
			}
			return err
		})
	})
}

func countRows(t *testing.T, s *Store) (n int) {
	t.Helper()
	err := s.use(t.Context(), func(ctx context.Context, conn *pgxpool.Conn) error {
		return conn.QueryRow(ctx, "SELECT count(*) FROM ledger").Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
