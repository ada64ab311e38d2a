// Package postgres keeps API keys, the ledger, and claims (leases with their answers) in PostgreSQL.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sentinel-chaos/sentinel/service/dependency"
)

// Options say where PostgreSQL is.
type Options struct {
	DSN       string
	Conns     int32         // at most; all but rareConns are kept open
	Replica   string        // this gateway's name
	Budget    time.Duration // for one operation with all its attempts
	Retention time.Duration // of claims that are over, at least as long as an answer may still be asked for after its expiry; above 0 for Sweep
	Recovered func()        // called when an unavailable PostgreSQL answers again, before requests get to it; may be nil
}

// Timeouts and sizes of the pool, measured to recover as soon as the cluster does.
const (
	dialTimeout    = 500 * time.Millisecond // a dead node's address is a black hole
	connectTimeout = time.Second            // a server that is stopping never answers; a busy one takes a while to start a process and check a password
	pingTimeout    = 300 * time.Millisecond
	prepareTimeout = 2 * time.Second // for all statements of a new connection to a slow server
	healthPeriod   = 500 * time.Millisecond
	fillPause      = 100 * time.Millisecond // before each connection that nobody waits for: it costs some 15 ms of CPU time
	ledgerConns    = 2                      // beyond those of requests, behind which rows must not wait
	rareConns      = 2                      // beyond these, for the probe and a report
	connLifetime   = time.Hour
)

// Store is the gateway's LedgerStore, AnswerStore, KeyStore and one of its LeaseStores, and knows what was used. It is safe for concurrent use.
type Store struct {
	pool      *pgxpool.Pool
	gate      *dependency.Gate
	replica   string
	kept      int32         // connections
	retention time.Duration // of claims that are over
	reports   chan struct{} // holds a token while a report is made
	filling   sync.Mutex    // held in the pause before a connection that nobody waits for
	opening   opening
	crowded   atomic.Bool // the last probe was refused a connection
	unready   atomic.Bool // a connection was opened before the schema was there, and knows no statements
}

// Open makes a Store. It does not wait for PostgreSQL.
func Open(o Options, log *slog.Logger) (*Store, error) {
	cfg, err := pgxpool.ParseConfig(o.DSN)
	if err != nil {
		return nil, fmt.Errorf("read the DSN: %w", err)
	}
	cfg.ConnConfig.ConnectTimeout = connectTimeout
	cfg.ConnConfig.DialFunc = (&net.Dialer{Timeout: dialTimeout}).DialContext
	cfg.MaxConns = o.Conns
	cfg.MinConns = min(o.Conns, slots(o.Conns)+ledgerConns) // kept: opening one takes as long as twenty queries, just when Redis has failed
	cfg.MaxConnLifetime = connLifetime
	cfg.HealthCheckPeriod = healthPeriod
	cfg.PingTimeout = pingTimeout
	s := &Store{replica: o.Replica, retention: o.Retention, kept: cfg.MinConns, reports: make(chan struct{}, 1), opening: newOpening()}
	s.gate = dependency.NewGate(dependency.Options{
		Name: "postgres", Budget: o.Budget, Slots: int(slots(o.Conns)), Probe: s.ping, Recovered: o.Recovered, Log: log,
	})
	cfg.BeforeConnect = s.mayConnect
	cfg.AfterConnect = s.prepare
	if s.pool, err = pgxpool.NewWithConfig(context.Background(), cfg); err != nil {
		return nil, fmt.Errorf("make the pool: %w", err)
	}
	return s, nil
}

// slots is how many connections requests may use at a time.
func slots(conns int32) int32 { return max(1, conns-ledgerConns-rareConns) }

// awaited marks the context of an operation that waits for a connection. A context without it is that of the pool, which fills
// itself.
type awaited struct{}

func awaiting(ctx context.Context) context.Context { return context.WithValue(ctx, awaited{}, true) }

// mayConnect has the pool fill itself one connection after another, with pauses. An operation that waits for a connection gets it
// without a pause. Left to itself the pool opens all connections at once, as all replicas do when PostgreSQL is back. On a small
// machine that takes a second in which nothing else gets done.
//
// Whoever waits, only a few are opened at a time. While the probe gets no connection, the pool does not ask for any.
func (s *Store) mayConnect(ctx context.Context, c *pgx.ConnConfig) error {
	s.opening.bound(&c.Config)
	switch {
	case ctx.Value(awaited{}) != nil:
		return nil
	case s.crowded.Load() && !s.gate.Up():
		return errCrowded
	}
	return s.pauseFilling(ctx)
}

var errCrowded = errors.New("PostgreSQL has no connection")

func (s *Store) pauseFilling(ctx context.Context) error {
	s.filling.Lock()
	defer s.filling.Unlock()
	return dependency.Sleep(ctx, fillPause)
}

// prepare has a new connection know the statements of requests. Prepared at its first use, a statement would cost an operation
// another round trip. With a slow server that is most of the operation's budget. And several operations that are given up at
// once leave no connection to work with.
func (s *Store) prepare(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, prepareTimeout)
	defer cancel()
	for _, sql := range []string{heartbeatSQL, claimSQL, answerSQL, writeAnswerRowSQL, settleSQL, releaseSQL, findSQL, rowsSQL, asyncRowsSQL, identifySQL} {
		_, err := conn.Prepare(ctx, sql, sql)
		if code := sqlState(err); code == undefinedTable || code == undefinedColumn {
			s.unready.Store(true)
			return nil
		}
		if err != nil {
			return fmt.Errorf("prepare statements: %w", err)
		}
	}
	return nil
}

const heartbeatSQL = `INSERT INTO heartbeats (replica, at) VALUES ($1, now()) ON CONFLICT (replica) DO UPDATE SET at = excluded.at`

// ping commits, since a primary whose synchronous standby hangs still reads. A server without a free connection is exhausted for who
// needs one. Operations go on asking, as the others of the pool may serve them.
func (s *Store) ping(ctx context.Context) error {
	err := s.use(ctx, func(ctx context.Context, conn *pgxpool.Conn) error {
		_, err := conn.Exec(ctx, heartbeatSQL, s.replica)
		return err
	})
	crowded := sqlState(err) == tooManyConnections
	s.crowded.Store(crowded)
	if crowded {
		return fmt.Errorf("%w: %w", dependency.ErrExhausted, err)
	}
	return err
}

// Fill returns when all connections that are kept open are open, or with the context's error.
func (s *Store) Fill(ctx context.Context) error {
	for {
		used, idle := s.Pool()
		if int32(used+idle) >= s.kept {
			return nil
		}
		if err := dependency.Sleep(ctx, fillPause); err != nil {
			return fmt.Errorf("%d of %d connections are open: %w", used+idle, s.kept, err)
		}
	}
}

// Watch notices when an unavailable PostgreSQL answers again. It returns when the context ends.
func (s *Store) Watch(ctx context.Context) { s.gate.Watch(ctx) }

// ResetGate has an unavailable PostgreSQL asked again.
func (s *Store) ResetGate() { s.gate.Reset() }

// Up reports whether PostgreSQL answered when last asked.
func (s *Store) Up() bool { return s.gate.Up() }

// Pool reports the connections in use and idle.
func (s *Store) Pool() (used, idle int) {
	stat := s.pool.Stat()
	return int(stat.AcquiredConns()), int(stat.IdleConns())
}

// Close closes all connections.
func (s *Store) Close() { s.pool.Close() }

// do runs op on a connection, within the budget of requests.
func (s *Store) do(ctx context.Context, op func(context.Context, *pgxpool.Conn) error) error {
	return s.gate.Do(ctx, func(ctx context.Context) error { return s.use(ctx, op) })
}

// use runs op once on a connection of the pool, and drops the connection if its server cannot serve the next one either.
func (s *Store) use(ctx context.Context, op func(context.Context, *pgxpool.Conn) error) error {
	conn, err := s.pool.Acquire(awaiting(ctx))
	if err != nil {
		return fmt.Errorf("get a connection: %w", err)
	}
	defer conn.Release()
	err = op(ctx, conn)
	if err != nil && serverUnfit(err) {
		_ = conn.Conn().Close(ctx) // Release then removes it from the pool
	}
	return marked(err)
}

// Classes of SQLSTATE codes that blame what was sent.
const (
	dataException       = "22" // no column takes such a value
	constraintViolation = "23"
	programLimit        = "54" // such as a name that is too long for an index
)

func refusesData(err error) bool {
	state := sqlState(err)
	return slices.ContainsFunc([]string{dataException, constraintViolation, programLimit}, func(class string) bool {
		return strings.HasPrefix(state, class)
	})
}

// SQLSTATE codes of a server that cannot serve the next operation either. A former primary answers 25006 for as long as the
// connection lives.
const (
	readOnly      = "25006"
	adminShutdown = "57P01"
	crashShutdown = "57P02"
	cannotConnect = "57P03"
)

func serverUnfit(err error) bool {
	switch sqlState(err) {
	case readOnly, adminShutdown, crashShutdown, cannotConnect:
		return true
	}
	return false
}

// SQLSTATE codes of a server that lacks something: all of the class, such as 53100, which says that the disk is full, and 53300.
const (
	insufficientResources = "53"
	tooManyConnections    = "53300"
)

// marked marks the error of a server that lacks what the operation needs, or will never take what it was sent. It has done nothing of it.
func marked(err error) error {
	switch {
	case strings.HasPrefix(sqlState(err), insufficientResources):
		return fmt.Errorf("%w: %w", dependency.ErrExhausted, err)
	case refusesData(err):
		return fmt.Errorf("%w: %w", dependency.ErrNever, err)
	}
	return err
}

// SQLSTATE codes of a schema that is not up to date.
const (
	undefinedTable  = "42P01"
	undefinedColumn = "42703"
)

// sqlState is the server's code for an error; empty if the error is not the server's.
func sqlState(err error) string {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return ""
	}
	return pg.Code
}
