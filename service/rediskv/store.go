// Package rediskv keeps answers, locks, token buckets and the ledger's journal in Redis, found through Redis Sentinel.
package rediskv

import (
	"context"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sentinel-chaos/sentinel/service/patience"
)

// Names of what is kept.
const (
	lockPrefix   = "sentinel:lock:"
	answerPrefix = "sentinel:answer:"
	journalName  = "sentinel:journal"
	bucketPrefix = "sentinel:bucket:"
	probePrefix  = "probe:" // of the key that probes lock
)

// Options say where Redis is.
type Options struct {
	Sentinels []string      // addresses of the Redis Sentinels, host:port
	Master    string        // name under which they know the master
	Replica   string        // this gateway's name
	Budget    time.Duration // for one operation with all its attempts
	Heard     func()        // called when a silent Redis answers again, before requests get to it; may be nil
}

// Store is the gateway's Cache, Authority and Journal. It is safe for concurrent use.
type Store struct {
	client  *redis.Client
	line    *patience.Line
	scripts scripts
	probe   string
	waits   time.Duration // for replicas
}

// Timeouts and sizes of the pool. Retries are the Line's business: those of the client do not survive a failover.
const (
	socketTimeout  = time.Second            // a bound for operations that were left behind
	dialTimeout    = 250 * time.Millisecond // a dead node's address is a black hole
	dialerPause    = 20 * time.Millisecond
	poolSize       = 256 // a small pool fails fast and probes about once a second after as many failed dials
	inFlight       = 16  // operations at a time: in a crowd more only wait for each other, and their budgets run meanwhile
	minIdle        = 8
	maxIdle        = 10 // what a burst or a failover dialled beyond is closed again
	poolTimeout    = 500 * time.Millisecond
	probeLifetime  = time.Second
	noRetries      = -1
	noPipelinePool = -1
)

// Open makes a Store. It does not wait for Redis.
func Open(o Options, log *slog.Logger) *Store {
	s := &Store{scripts: loadScripts(), probe: probePrefix + o.Replica, waits: time.Duration(waitShare * float64(o.Budget))}
	s.client = redis.NewFailoverClient(&redis.FailoverOptions{
		MasterName:            o.Master,
		SentinelAddrs:         o.Sentinels,
		MaxRetries:            noRetries,
		DialTimeout:           dialTimeout,
		DialerRetries:         1,
		DialerRetryTimeout:    dialerPause,
		ReadTimeout:           socketTimeout,
		WriteTimeout:          socketTimeout,
		ContextTimeoutEnabled: true, // else a frozen master costs several socket timeouts
		PoolSize:              poolSize,
		MinIdleConns:          minIdle,
		MaxIdleConns:          maxIdle,
		PoolTimeout:           poolTimeout,
		PipelinePoolSize:      noPipelinePool,
		DisableIdentity:       true,
	})
	s.line = patience.NewLine(patience.Options{
		Name: "redis", Budget: o.Budget, Slots: inFlight, Probe: s.ping, Heard: o.Heard, Log: log,
	})
	return s
}

// ping takes a lock of its own, the most that is asked of Redis: a master without its replicas still reads.
func (s *Store) ping(ctx context.Context) error {
	_, err := s.acquire(ctx, s.probe, s.probe, probeLifetime)
	return err
}

// Watch notices when a silent Redis answers again. It returns when the context ends.
func (s *Store) Watch(ctx context.Context) { s.line.Watch(ctx) }

// AskAgain has a silent Redis asked again.
func (s *Store) AskAgain() { s.line.AskAgain() }

// Up says whether Redis answered when last asked.
func (s *Store) Up() bool { return s.line.Up() }

// Pool reports the connections in use and idle.
func (s *Store) Pool() (used, idle int) {
	stats := s.client.PoolStats()
	idle = int(stats.IdleConns)
	return max(0, int(stats.TotalConns)-idle), idle // the two are not read at one moment
}

// Close closes all connections.
func (s *Store) Close() error { return s.client.Close() }
