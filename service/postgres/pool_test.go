package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/service"
	"github.com/sentinel-chaos/sentinel/service/dependency"
	"github.com/sentinel-chaos/sentinel/service/internal/servers"
)

// After a switchover a connection may lead to a server that only reads. It must not stay in the pool.
func testUnfit(t *testing.T, s *Store) {
	conn, err := s.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "SET default_transaction_read_only = on"); err != nil {
		t.Fatal(err)
	}
	conn.Release()
	row := service.Row{RequestID: "r", Key: t.Name(), Kind: service.RowHit, CallID: "c", At: time.Now()}
	if err := s.Write(t.Context(), []service.Row{row}); err == nil {
		t.Fatal("a read-only connection wrote")
	}
	if err := s.Write(t.Context(), []service.Row{row}); err != nil {
		t.Errorf("on the next connection: %v", err)
	}
}

func testOutage(t *testing.T, dsn string) {
	s, err := Open(Options{DSN: dsn, Conns: 1, Replica: "gateway-1", Budget: time.Second}, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	watching, stop := context.WithCancel(t.Context())
	var watch sync.WaitGroup
	watch.Go(func() { s.Watch(watching) })
	conn, err := s.pool.Acquire(t.Context()) // the only one: whoever wants another waits for its whole budget
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Acquire(t.Context(), t.Name(), "a", time.Hour, nil); err == nil || s.Up() {
		t.Errorf("got %v, up %t", err, s.Up())
	}
	conn.Release()
	servers.Await(t, "the outage ends", func(context.Context) error {
		if !s.Up() {
			return errors.New("unavailable")
		}
		return nil
	})
	acquireAs(t, s, t.Name(), "a", time.Hour)
	stop()
	watch.Wait()
}

// testExhausted: a server without room says so at once, whatever it goes on answering.
func testExhausted(t *testing.T, s *Store) {
	_, err := s.pool.Exec(t.Context(), `
		CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = 'disk_full'; END $$;
		CREATE TRIGGER no_room BEFORE INSERT ON claims FOR EACH ROW EXECUTE FUNCTION no_room()`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if _, err := s.pool.Exec(t.Context(), `DROP TRIGGER no_room ON claims; DROP FUNCTION no_room`); err != nil {
			t.Error(err)
		}
	}()
	asked := time.Now()
	_, err = s.Acquire(t.Context(), t.Name(), "a", time.Hour, nil)
	if took := time.Since(asked); !errors.Is(err, dependency.ErrExhausted) || s.Up() || took > budget/2 {
		t.Errorf("got %v after %s, up %t", err, took, s.Up())
	}
	if err := s.ping(t.Context()); err != nil {
		t.Errorf("a probe needs no room, and got %v", err)
	}
}

// testCrowded: a server that has no connection for a probe is exhausted. For an operation it is not, since it may get one of those that
// the others use.
func testCrowded(t *testing.T, s *Store) {
	if _, err := s.pool.Exec(t.Context(), `CREATE ROLE crowded LOGIN CONNECTION LIMIT 0`); err != nil {
		t.Fatal(err)
	}
	cfg := s.pool.Config().ConnConfig
	crowded := openQuick(t, fmt.Sprintf("postgres://crowded@%s:%d/%s?sslmode=disable", cfg.Host, cfg.Port, cfg.Database))
	var refused error
	servers.Await(t, "the probe is refused", func(ctx context.Context) error {
		if refused = crowded.ping(ctx); sqlState(refused) != tooManyConnections {
			return fmt.Errorf("got %w", refused)
		}
		return nil
	})
	if !errors.Is(refused, dependency.ErrExhausted) {
		t.Errorf("got %v", refused)
	}
	crowded.gate.Reset()
	if err := crowded.mayConnect(t.Context(), cfg); err != nil {
		t.Errorf("the pool does not fill itself: %v", err)
	}
	if _, err := crowded.Acquire(t.Context(), t.Name(), "a", time.Hour, nil); err == nil || crowded.Up() {
		t.Errorf("got %v, up %t", err, crowded.Up())
	}
	if err := crowded.mayConnect(t.Context(), cfg); !errors.Is(err, errCrowded) {
		t.Errorf("the pool fills itself: %v", err)
	}
	if err := crowded.Write(t.Context(), nil); sqlState(err) != tooManyConnections || errors.Is(err, dependency.ErrExhausted) {
		t.Errorf("an operation got %v", err)
	}
}

// knocking listens, counts connections, and says nothing.
func knocking(t *testing.T) (dsn string, knocks *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	knocks = new(atomic.Int64)
	var listening sync.WaitGroup
	listening.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			knocks.Add(1)
			defer c.Close()
		}
	})
	t.Cleanup(func() {
		l.Close()
		listening.Wait()
	})
	return "postgres://a:b@" + l.Addr().String() + "/c?sslmode=disable", knocks
}

func openQuick(t *testing.T, dsn string) *Store {
	t.Helper()
	s, err := Open(Options{DSN: dsn, Conns: 10, Replica: "gateway-1", Budget: 50 * time.Millisecond}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// TestPoolFillsItselfGently: one connection at a time, with pauses, which nobody who waits for one has to wait for.
func TestPoolFillsItselfGently(t *testing.T) {
	dsn, knocks := knocking(t)
	began := time.Now()
	s := openQuick(t, dsn)
	servers.Await(t, "the pool knocks twice", func(context.Context) error {
		if knocks.Load() < 2 {
			return errors.New("not yet")
		}
		return nil
	})
	if n, most := knocks.Load(), int64(time.Since(began)/fillPause); n > most {
		t.Errorf("the pool knocked %d times, want %d at most", n, most)
	}
	s.filling.Lock() // the pause of another connection
	defer s.filling.Unlock()
	time.Sleep(fillPause)
	before := knocks.Load()
	if err := s.ping(t.Context()); err == nil || knocks.Load() == before {
		t.Errorf("who waits did not knock: %v", err)
	}
}
