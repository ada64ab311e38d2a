// Package postgres keeps API keys, the ledger, and claims (leases with their answers) in PostgreSQL.
package postgres

import (
	"context"
	"database/sql/driver"
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
	connTurn       = 200 * time.Millisecond // after which an operation lets go of the connection that is opened for it, and looks for another
	firstLook      = 10 * time.Millisecond  // between looks for a connection that has become free
	longestLook    = 50 * time.Millisecond
	fillPause      = 100 * time.Millisecond // before each connection that nobody waits for: it costs some 15 ms of CPU time
	ledgerConns    = 2                      // beyond those of requests, behind which rows must not wait
	laterConns     = 1                      // beyond these, for other work in the background
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
	crowded   atomic.Bool   // the last probe was refused a connection
	answering time.Time     // since when probes are answered in an outage; zero if the last one was not, or there is none. For probes alone
	schema    chan struct{} // closed once the schema is up to date
	migrated  func()        // closes it
	closing   context.Context
	close     context.CancelFunc
}

// Open makes a Store. It does not wait for PostgreSQL.
func Open(o Options, log *slog.Logger) (*Store, error) {
	return open(o, func(*pgxpool.Config) {}, log)
}

// open makes one of which the pool is changed before it is there.
func open(o Options, change func(*pgxpool.Config), log *slog.Logger) (*Store, error) {
	cfg, err := parseDSN(o.DSN)
	if err != nil {
		return nil, err
	}
	cfg.ConnConfig.ConnectTimeout = connectTimeout
	cfg.ConnConfig.DialFunc = (&net.Dialer{Timeout: dialTimeout}).DialContext
	cfg.MaxConns = o.Conns
	cfg.MinConns = min(o.Conns, slots(o.Conns)+ledgerConns+laterConns) // kept: opening one takes as long as twenty queries, just when Redis has failed
	cfg.MaxConnLifetime = connLifetime
	cfg.HealthCheckPeriod = healthPeriod
	cfg.PingTimeout = pingTimeout
	s := &Store{replica: o.Replica, retention: o.Retention, kept: cfg.MinConns, reports: make(chan struct{}, 1), opening: newOpening(), schema: make(chan struct{})}
	s.migrated = sync.OnceFunc(func() { close(s.schema) })
	s.closing, s.close = context.WithCancel(context.Background())
	s.gate = dependency.NewGate(dependency.Options{
		Name: "postgres", Budget: o.Budget, Slots: int(slots(o.Conns)), Later: laterConns, Probe: s.ping, Recovered: o.Recovered, Log: log,
	})
	cfg.BeforeConnect = s.mayConnect
	cfg.AfterConnect = s.prepare
	change(cfg)
	if s.pool, err = pgxpool.NewWithConfig(context.Background(), cfg); err != nil {
		return nil, fmt.Errorf("make the pool: %w", err)
	}
	return s, nil
}

// slots is how many connections requests may use at a time.
func slots(conns int32) int32 { return max(1, conns-ledgerConns-laterConns-rareConns) }

// awaited marks the context of an operation that waits for a connection. A context without it is that of the pool, which fills
// itself.
type awaited struct{}

func awaiting(ctx context.Context) context.Context { return context.WithValue(ctx, awaited{}, true) }

// mayConnect has the pool fill itself once the schema is there, one connection after another, with pauses. An operation that waits for a connection gets it
// without a pause. Left to itself the pool opens all connections at once, as all replicas do when PostgreSQL is back. On a small
// machine that takes a second in which nothing else gets done.
//
// Whoever waits, only a few are opened at a time. Who comes after these looks for one that becomes free. While the probe gets no
// connection, the pool does not ask for any.
func (s *Store) mayConnect(ctx context.Context, c *pgx.ConnConfig) error {
	s.opening.bound(&c.Config)
	switch {
	case ctx.Value(awaited{}) != nil && s.opening.full():
		return errNoneFree
	case ctx.Value(awaited{}) != nil:
		return nil
	case s.crowded.Load() && !s.gate.Up():
		return errCrowded
	}
	select {
	case <-s.schema:
		return s.pauseFilling(ctx)
	case <-s.closing.Done(): // the pool waits for connections that are being opened before it is closed
		return s.closing.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

var (
	errCrowded  = errors.New("PostgreSQL has no connection")
	errNoneFree = errors.New("no connection is free")
)

func (s *Store) pauseFilling(ctx context.Context) error {
	s.filling.Lock()
	defer s.filling.Unlock()
	return dependency.Sleep(ctx, fillPause)
}

// prepare has a new connection know the statements of requests. Prepared at its first use, a statement would cost an operation
// another round trip. With a slow server that is most of the operation's budget. And several operations that are given up at
// once leave no connection to work with.
//
// All of them take one round trip: a batch prepares its statements, and then encodes their arguments, of which the first cannot be. So
// it executes none.
func (s *Store) prepare(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, prepareTimeout)
	defer cancel()
	batch := &pgx.Batch{}
	batch.Queue(heartbeatSQL, notExecuted{})
	for _, sql := range []string{claimSQL, answerSQL, writeAnswerRowSQL, settleSQL, releaseSQL, findSQL, rowsSQL, asyncRowsSQL, identifySQL} {
		batch.Queue(sql)
	}
	if err := conn.SendBatch(ctx, batch).Close(); !errors.Is(err, errNotExecuted) {
		return fmt.Errorf("prepare statements: %w", err)
	}
	return nil
}

// notExecuted is an argument that cannot be encoded.
type notExecuted struct{}

var errNotExecuted = errors.New("prepared, and not executed")

// Value returns errNotExecuted.
func (notExecuted) Value() (driver.Value, error) { return nil, errNotExecuted }

const heartbeatSQL = `INSERT INTO heartbeats (replica, at) VALUES ($1, now()) ON CONFLICT (replica) DO UPDATE SET at = excluded.at`

// Bounds of an outage's end.
const (
	enoughShare    = 2               // 1 in so many of the connections that are kept is enough for requests
	enoughPatience = 2 * time.Second // for a server that answers to let so many in: one that does not may serve some all the same
)

var errFewConnections = errors.New("too few connections are open")

// ping commits, since a primary whose synchronous standby hangs still reads. A server without a free connection is exhausted for who
// needs one. Operations go on asking, as the others of the pool may serve them.
//
// An outage is not over before there are connections for requests: opening one takes a slow server longer than an operation has. Until
// then operations fail at once.
func (s *Store) ping(ctx context.Context) error {
	err := s.beat(ctx)
	if err != nil || s.gate.Up() {
		s.answering = time.Time{}
		return err
	}
	if s.answering.IsZero() {
		s.answering = time.Now()
	}
	if used, idle := s.Pool(); int32(used+idle) < s.kept/enoughShare && time.Since(s.answering) < enoughPatience {
		return errFewConnections
	}
	s.answering = time.Time{}
	return nil
}

// beat writes the replica's heartbeat.
func (s *Store) beat(ctx context.Context) error {
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

// UpSince returns when PostgreSQL's last outage ended, or the zero time if there was none.
func (s *Store) UpSince() time.Time { return s.gate.UpSince() }

// Pool reports the connections in use and idle.
func (s *Store) Pool() (used, idle int) {
	stat := s.pool.Stat()
	return int(stat.AcquiredConns()), int(stat.IdleConns())
}

// Close closes all connections.
func (s *Store) Close() {
	s.close()
	s.pool.Close()
}

// do runs op on a connection, within the budget of requests.
func (s *Store) do(ctx context.Context, op func(context.Context, *pgxpool.Conn) error) error {
	return s.gate.Do(ctx, func(ctx context.Context) error { return s.use(ctx, op) })
}

// use runs op once on a connection of the pool, and drops the connection if its server cannot serve the next one either.
func (s *Store) use(ctx context.Context, op func(context.Context, *pgxpool.Conn) error) error {
	conn, err := s.connection(ctx)
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

// connection returns the first connection that is free or opened. The pool has an operation wait for the one that is opened for it,
// though others become free: with a slow server that takes longer than the operation has. So the operation lets go of it after its
// turn, and looks again. What is being opened then is for whoever comes next.
func (s *Store) connection(ctx context.Context) (*pgxpool.Conn, error) {
	for backoff := (dependency.Backoff{Next: firstLook, Most: longestLook}); ; {
		conn, err := s.nextConnection(ctx)
		if !errors.Is(err, errNoneFree) {
			return conn, err
		}
		if backoff.Wait(ctx) != nil {
			return nil, err
		}
	}
}

// nextConnection waits for one turn. It ends that by cancellation: the pool would give a deadline to its ping of a connection, and close one
// that is only slow.
func (s *Store) nextConnection(ctx context.Context) (*pgxpool.Conn, error) {
	turn, cancel := context.WithCancel(awaiting(ctx))
	defer cancel()
	defer time.AfterFunc(connTurn, cancel).Stop()
	conn, err := s.pool.Acquire(turn)
	if err != nil && turn.Err() != nil && ctx.Err() == nil {
		return nil, errNoneFree
	}
	return conn, err
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

// sqlState is the server's code for an error; empty if the error is not the server's.
func sqlState(err error) string {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return ""
	}
	return pg.Code
}
