package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/sentinel-chaos/sentinel/service"
	"github.com/sentinel-chaos/sentinel/service/dependency"
	"github.com/sentinel-chaos/sentinel/service/httpapi"
	"github.com/sentinel-chaos/sentinel/service/llm"
	"github.com/sentinel-chaos/sentinel/service/metrics"
	"github.com/sentinel-chaos/sentinel/service/postgres"
	"github.com/sentinel-chaos/sentinel/service/rediskv"
)

// app is the assembled process.
type app struct {
	config   Config
	log      *slog.Logger
	redis    *rediskv.Store
	postgres *postgres.Store
	llm      *llm.Client
	ledger   *service.Ledger
	gateway  *service.Gateway
	api      *httpapi.API
	server   *http.Server
}

// assemble wires everything together. Nothing is dialled yet.
func assemble(c Config, log *slog.Logger) (*app, error) {
	a := &app{config: c, log: log}
	boot := rand.Text()
	meter := metrics.New(c.Replica, boot, build())
	// When one lease store is heard again, both are asked again. The other one may be called unavailable only because of a partition
	// from both that has just healed. One lease store alone would grant a call whose answer the other one has.
	a.redis = rediskv.Open(rediskv.Options{
		Sentinels: c.RedisSentinels, Master: c.RedisMaster, Replica: c.Replica, Budget: c.RedisBudget,
		Recovered: func() { a.postgres.ResetGate() },
	}, log)
	var err error
	a.postgres, err = postgres.Open(postgres.Options{
		DSN: c.PostgresDSN, Conns: c.PostgresConns, Replica: c.Replica, Budget: c.PostgresBudget,
		Retention: c.StaleFor + c.KeepClaims, Recovered: a.redis.ResetGate,
	}, log)
	if err != nil {
		return nil, fmt.Errorf("SENTINEL_POSTGRES_DSN: %w", err)
	}
	a.llm = llm.New(llm.Options{
		URL: c.LLMURL, Timeout: c.LLMTimeout, Budget: c.LLMBudget, MaxRest: c.LLMMaxRest, Log: log,
		Price:   service.Price{Prompt: c.PricePrompt, Completion: c.PriceCompletion},
		Breaker: llm.BreakerOptions{Failures: c.BreakerFailures, Patience: c.BreakerPatience, Open: c.BreakerOpen, Probes: c.BreakerProbes},
	}, meter.Called)
	a.ledger = service.NewLedger(a.postgres, a.redis, c.LedgerRoom, log)
	a.gateway = service.New(service.Settings{
		Replica: c.Replica, Boot: boot, TTL: c.CacheTTL, Jitter: c.CacheJitter, StaleFor: c.StaleFor,
		Lease: c.Lease, RequestTimeout: c.RequestTimeout, Limits: c.limits(),
	}, service.Ports{
		Cache: a.redis, LeaseStores: []service.LeaseStore{a.redis, a.postgres}, Answers: a.postgres,
		Upstream: a.llm, Ledger: a.ledger, Meter: meter, Log: log,
	})
	a.api = httpapi.New(httpapi.Options{
		Replica: c.Replica, Version: build(), AdminToken: c.AdminToken, Timeout: c.RequestTimeout, Proxies: c.RateIPProxies,
		MaxQueries: c.MaxQueries, MaxWait: c.MaxWait,
		Answerer: a.gateway, APIKeys: service.NewAPIKeys(a.postgres), Accounts: a.postgres, Meter: meter, Metrics: meter.Handler(),
		Health: map[string]func() bool{
			"redis": a.redis.Up, "postgres": a.postgres.Up, "llm": func() bool { return a.llm.BreakerState() == 0 },
		},
		HeldBackUntil: a.llm.HeldBackUntil,
		Log:           log,
	})
	a.server = &http.Server{
		Handler: a.api, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	a.expose(meter)
	return a, nil
}

func (c Config) limits() service.Limits {
	return service.Limits{
		PerKey:     service.Limit{Rate: c.RateKey, Burst: c.RateKeyBurst},
		PerAddress: service.Limit{Rate: c.RateIP, Burst: c.RateIPBurst},
		Replicas:   c.RateReplicas,
	}
}

// Timeouts of client connections: for a request's headers, for a whole request, and between requests. Handlers that read a body give it
// less time than readTimeout, at whose end net/http closes the connection without an answer. The balancer keeps idle connections for less long
// than idleTimeout.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = time.Minute
	idleTimeout   = 2 * time.Minute
)

// expose registers the gauges.
func (a *app) expose(m *metrics.Metrics) {
	m.Gauge("sentinel_active_requests", "Requests being answered.", a.api.Active())
	m.Gauge("sentinel_active_flights", "Keys being worked on.", a.gateway.ActiveFlights())
	m.Gauge("sentinel_active_llm_calls", "Attempts to call the LLM under way.", a.llm.Active())
	m.Func("sentinel_ledger_pending", "Ledger rows known not to be in PostgreSQL: those in memory or, if more, those in the outbox.",
		nil, func() float64 { return float64(a.ledger.Pending()) })
	m.Func("sentinel_ledger_set_aside", "Ledger rows that PostgreSQL will never take, since boot; the log has all of each.",
		nil, func() float64 { return float64(a.ledger.SetAside()) })
	m.Func("sentinel_llm_held_back_seconds", "For how much longer no call is made because the LLM asked for a pause; 0 if calls are made.",
		nil, func() float64 { return max(time.Until(a.llm.HeldBackUntil()).Seconds(), 0) })
	m.Func("sentinel_breaker_state", "0 closed, 1 half-open, 2 open.", nil, func() float64 { return float64(a.llm.BreakerState()) })
	m.Up("redis", a.redis.Up)
	m.Up("postgres", a.postgres.Up)
	m.Pool("redis", a.redis.Pool)
	m.Pool("postgres", a.postgres.Pool)
}

// version is the linker's to set: go build -ldflags "-X main.version=1.2.3".
var version string

// build names what this program was built as.
func build() string {
	if info, ok := debug.ReadBuildInfo(); version == "" && ok {
		return info.Main.Version
	}
	return cmp.Or(version, "unknown")
}

// run serves until term ends, and then shuts down. An error means that it could not serve, or left work behind.
func (a *app) run(term context.Context) error {
	listener, err := net.Listen("tcp", a.config.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	a.log.Info("started", "listen", a.config.Listen)
	served := make(chan error, 1)
	go func() { served <- a.server.Serve(listener) }()
	work, stopWork := context.WithCancel(context.Background())
	defer stopWork()
	background := a.start(work)
	background.Go(func() { a.becomeReady(term) })
	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-term.Done():
	}
	return a.shutdown(func() {
		stopWork()
		background.Wait()
	})
}

// start runs what goes on beside the requests.
func (a *app) start(ctx context.Context) *sync.WaitGroup {
	var all sync.WaitGroup
	for _, work := range []func(context.Context){
		a.redis.Watch, a.postgres.Watch, a.ledger.Run, a.gateway.RunHandoff, a.postgres.Sweep,
	} {
		all.Go(func() { work(ctx) })
	}
	return &all
}

// Bounds of one attempt to migrate, and of the pauses between attempts.
const (
	migrateTimeout = 10 * time.Second
	migratePause   = 50 * time.Millisecond
	longestPause   = time.Second
)

// fillTimeout is for how long a replica that could serve waits for its connections: if PostgreSQL has none to give, hits need none.
const fillTimeout = 10 * time.Second

// becomeReady makes the API ready, unless the process is told to end before that.
func (a *app) becomeReady(term context.Context) {
	a.prepare(term)
	if term.Err() != nil {
		return
	}
	a.api.Started()
	a.log.Info("ready")
}

// prepare migrates, however long PostgreSQL takes to come, and opens connections: a replica that still had to open them would be
// slow to its first clients. It returns when ctx ends, after a second at most.
func (a *app) prepare(ctx context.Context) {
	for backoff := (dependency.Backoff{Next: migratePause, Most: longestPause}); ; {
		err := a.migrate(ctx)
		if err == nil {
			break
		}
		a.log.Warn("not ready", "error", err)
		if backoff.Wait(ctx) != nil {
			return
		}
	}
	a.fill(ctx)
}

func (a *app) migrate(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, migrateTimeout)
	defer cancel()
	return a.postgres.Migrate(ctx)
}

func (a *app) fill(ctx context.Context) {
	bounded, cancel := context.WithTimeout(ctx, fillTimeout)
	defer cancel()
	if err := a.postgres.Fill(bounded); err != nil && ctx.Err() == nil {
		a.log.Warn("ready without all connections to PostgreSQL", "error", err)
	}
}

// flushShare is the part of the grace period that is kept back for the ledger.
const flushShare = 5

// shutdown ends the process in the order in which nothing is lost: unready, but serving on until the balancer knows; then
// no new requests; then requests and flights end; then the ledger is flushed; then connections close.
func (a *app) shutdown(stopWork func()) error {
	a.log.Info("draining")
	a.api.Drain()
	end := time.Now().Add(a.config.Grace)
	time.Sleep(a.config.Drain) // no event tells that the balancer has noticed
	serving, cancel := context.WithDeadline(context.Background(), end.Add(-a.config.Grace/flushShare))
	defer cancel()
	requests := a.server.Shutdown(serving)
	flights := a.gateway.Wait(serving)
	stopWork()
	flushing, cancel := context.WithDeadline(context.Background(), end.Add(-a.config.Grace/(4*flushShare)))
	defer cancel()
	rows := a.ledger.Flush(flushing)
	a.llm.Close()
	a.postgres.Close()
	return errors.Join(named("requests", requests), named("flights", flights), named("ledger", rows), named("redis", a.redis.Close()))
}

func named(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
