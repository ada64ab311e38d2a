// Package rediskv keeps answers, locks, token buckets and the ledger's outbox in Redis, found through Redis Sentinel.
package rediskv

import (
	"context"
	"crypto/tls"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sentinel-chaos/sentinel/service/dependency"
)

// Names of what is kept.
const (
	lockPrefix   = "sentinel:lock:"
	answerPrefix = "sentinel:answer:"
	outboxName   = "sentinel:journal"
	bucketPrefix = "sentinel:bucket:"
	probePrefix  = "probe:" // of the key that probes lock
)

// Options say where Redis is.
type Options struct {
	Sentinels []string      // addresses of the Redis Sentinels, host:port
	Master    string        // name under which they know the master
	Replica   string        // this gateway's name
	Budget    time.Duration // for one operation with all its attempts
	Recovered func()        // called when an unavailable Redis answers again, before requests get to it; may be nil

	User, Password                 string      // of the master; "" for none
	SentinelUser, SentinelPassword string      // of the Redis Sentinels, likewise
	TLS                            *tls.Config // of connections to either; nil for none
}

// Store is the gateway's Cache, Outbox and one of its LeaseStores. It is safe for concurrent use.
type Store struct {
	client  *redis.Client
	gate    *dependency.Gate
	scripts scripts
	probe   string
	waits   time.Duration // for replicas
}

// Timeouts and sizes of the pool. Retries are the Gate's business: those of the client do not survive a failover.
const (
	socketTimeout  = time.Second            // a bound for operations that were left behind
	dialTimeout    = 250 * time.Millisecond // a dead node's address is a black hole
	dialerPause    = 20 * time.Millisecond
	poolSize       = 256 // a small pool fails fast and probes about once a second after as many failed dials
	inFlight       = 16  // operations of requests at a time: in a crowd more only wait for each other
	inBackground   = 4   // operations at a time beside these: what is handed off, leases that are released late, flushes of the ledger
	minIdle        = 8
	maxIdle        = 10 // what a burst or a failover dialled beyond is closed again
	poolTimeout    = 500 * time.Millisecond
	probeLifetime  = time.Second
	noRetries      = -1
	noPipelinePool = -1
)

// Open makes a Store. It does not wait for Redis.
func Open(o Options, log *slog.Logger) *Store { return open(o, socketTimeout, log) }

// open makes one whose sockets wait for so long.
func open(o Options, patience time.Duration, log *slog.Logger) *Store {
	s := &Store{scripts: loadScripts(), probe: probePrefix + o.Replica, waits: time.Duration(waitShare * float64(o.Budget))}
	s.client = redis.NewFailoverClient(&redis.FailoverOptions{
		MasterName:            o.Master,
		SentinelAddrs:         o.Sentinels,
		SentinelUsername:      o.SentinelUser,
		SentinelPassword:      o.SentinelPassword,
		Username:              o.User,
		Password:              o.Password,
		MaxRetries:            noRetries,
		Dialer:                o.dialer(),
		DialTimeout:           o.dialing(),
		DialerRetries:         1,
		DialerRetryTimeout:    dialerPause,
		ReadTimeout:           patience,
		WriteTimeout:          patience,
		ContextTimeoutEnabled: true, // else a paused master costs several socket timeouts
		PoolSize:              poolSize,
		MinIdleConns:          minIdle,
		MaxIdleConns:          maxIdle,
		PoolTimeout:           poolTimeout,
		PipelinePoolSize:      noPipelinePool,
		DisableIdentity:       true,
	})
	s.gate = dependency.NewGate(dependency.Options{
		Name: "redis", Budget: o.Budget, Slots: inFlight, Later: inBackground, Probe: s.ping, Recovered: o.Recovered, Log: log,
	})
	return s
}

// ping takes a lock of its own, the hardest thing that is asked of Redis: a master without its replicas still reads.
func (s *Store) ping(ctx context.Context) error {
	_, err := s.acquire(ctx, s.probe, s.probe, probeLifetime)
	return marked(err)
}

// Watch notices when an unavailable Redis answers again. It returns when the context ends.
func (s *Store) Watch(ctx context.Context) { s.gate.Watch(ctx) }

// ResetGate has an unavailable Redis asked again.
func (s *Store) ResetGate() { s.gate.Reset() }

// Up reports whether Redis answered when last asked.
func (s *Store) Up() bool { return s.gate.Up() }

// UpSince returns when the last outage of Redis ended, or the zero time if there was none.
func (s *Store) UpSince() time.Time { return s.gate.UpSince() }

// Pool reports the connections in use and idle.
func (s *Store) Pool() (used, idle int) {
	stats := s.client.PoolStats()
	idle = int(stats.IdleConns)
	return max(0, int(stats.TotalConns)-idle), idle // the two are not read at one moment
}

// Close closes all connections.
func (s *Store) Close() error { return s.client.Close() }
