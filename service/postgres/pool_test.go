package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

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
	// A budget that ends much later than it should says nothing of PostgreSQL: it is longer than a machine stands still.
	s := openPatient(t, Options{DSN: dsn, Conns: 1, Replica: "gateway-1", Budget: 3 * time.Second})
	s.migrated()
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

// testExhausted: a server without room says so at once, whatever it goes on answering. The pool does not fill itself before it has, and a probe's
// patience with a pool that fills slowly never ends.
func testExhausted(t *testing.T, s *Store) {
	s.filling.Lock()
	fill := sync.OnceFunc(s.filling.Unlock)
	defer fill()
	s.migrated()
	err := s.use(t.Context(), func(ctx context.Context, conn *pgxpool.Conn) error {
		_, err := conn.Exec(ctx, `
			CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = 'disk_full'; END $$;
			CREATE TRIGGER no_room BEFORE INSERT ON claims FOR EACH ROW EXECUTE FUNCTION no_room()`)
		return err
	})
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
	if err := s.ping(t.Context()); !errors.Is(err, errFewConnections) {
		t.Errorf("a probe needs no room, but connections for requests, and got %v", err)
	}
	fill()
	servers.Await(t, "there are connections for requests", func(ctx context.Context) error {
		s.answering = time.Time{}
		return s.ping(ctx)
	})
	if used, idle := s.Pool(); int32(used+idle) < s.kept/enoughShare {
		t.Errorf("%d of %d connections are enough", used+idle, s.kept)
	}
}

// testFewConnections: a server that answers, and lets only one in, is not left alone for long.
func testFewConnections(t *testing.T, s *Store) {
	cfg := s.pool.Config().ConnConfig
	if _, err := s.pool.Exec(t.Context(), fmt.Sprintf("CREATE ROLE lonely LOGIN IN ROLE %s CONNECTION LIMIT 1", pgx.Identifier{cfg.User}.Sanitize())); err != nil {
		t.Fatal(err)
	}
	lonely := openImpatient(t, fmt.Sprintf("postgres://lonely@%s:%d/%s?sslmode=disable", cfg.Host, cfg.Port, cfg.Database))
	lonely.gate.Reset()
	began := time.Now()
	_ = lonely.gate.Do(t.Context(), func(context.Context) error { return dependency.ErrExhausted })
	servers.Await(t, "the outage ends", lonely.ping)
	if took := time.Since(began); took < enoughPatience {
		t.Errorf("it ended after %s", took)
	}
	if err := lonely.ping(t.Context()); !errors.Is(err, errFewConnections) {
		t.Errorf("the next outage has no patience of its own: a probe got %v", err)
	}
}

// testCrowded: a server that has no connection for a probe is exhausted. For an operation it is not, since it may get one of those that
// the others use.
func testCrowded(t *testing.T, s *Store) {
	if _, err := s.pool.Exec(t.Context(), `CREATE ROLE crowded LOGIN CONNECTION LIMIT 0`); err != nil {
		t.Fatal(err)
	}
	cfg := s.pool.Config().ConnConfig
	crowded := openImpatient(t, fmt.Sprintf("postgres://crowded@%s:%d/%s?sslmode=disable", cfg.Host, cfg.Port, cfg.Database))
	crowded.migrated()
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

// openImpatient opens a store that waits for its connections no longer than a gateway does.
func openImpatient(t *testing.T, dsn string) *Store {
	t.Helper()
	s, err := Open(Options{DSN: dsn, Conns: 10, Replica: "gateway-1", Budget: 2 * time.Second}, slog.New(slog.DiscardHandler)) // as in testOutage
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
	s := openImpatient(t, dsn)
	s.migrated()
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
	servers.Await(t, "those under way have ended", func(context.Context) error {
		if n := len(s.opening); n > 0 {
			return fmt.Errorf("%d have not", n)
		}
		return nil
	})
	before := knocks.Load()
	ctx, leave := context.WithCancel(t.Context())
	waited := make(chan error, 1)
	go func() { waited <- s.ping(ctx) }()
	servers.Await(t, "who waits knocks", func(context.Context) error {
		if knocks.Load() == before {
			return errors.New("not yet")
		}
		return nil
	})
	leave()
	if err := <-waited; err == nil {
		t.Error("a server that says nothing answered a probe")
	}
}

// testFreedConnection: an operation takes a connection that becomes free, though another one is to be opened for it.
func testFreedConnection(t *testing.T, s *Store) {
	if err := s.Fill(t.Context()); err != nil {
		t.Fatal(err)
	}
	var others sync.WaitGroup
	leave := make(chan struct{})
	for range s.kept {
		others.Go(func() {
			_ = s.use(t.Context(), func(context.Context, *pgxpool.Conn) error { <-leave; return nil })
		})
	}
	servers.Await(t, "all connections are in use", func(context.Context) error {
		if used, _ := s.Pool(); used < int(s.kept) {
			return errors.New("not yet")
		}
		return nil
	})
	for range openAtOnce { // whoever opens another one waits
		s.opening <- struct{}{}
	}
	ctx, cancel := context.WithTimeout(t.Context(), budget)
	defer cancel()
	time.AfterFunc(connTurn, func() { close(leave) })
	if err := s.use(ctx, func(context.Context, *pgxpool.Conn) error { return nil }); err != nil {
		t.Errorf("got %v, though connections were free", err)
	}
	for range openAtOnce {
		<-s.opening
	}
	others.Wait()
}
