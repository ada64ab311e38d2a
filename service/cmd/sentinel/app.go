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
	admin    *http.Server // of the listener for metrics, probes and administration; nil if they have none of their own
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
		User:      c.RedisUser, Password: c.RedisPassword, SentinelUser: c.SentinelUser, SentinelPassword: c.SentinelPassword, TLS: c.redisTLS,
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
		URL: c.LLMURL, APIKey: c.LLMAPIKey, Timeout: c.LLMTimeout, Budget: c.LLMBudget, MaxRest: c.LLMMaxRest, Log: log,
		Price:   service.Price{Prompt: c.PricePrompt, Completion: c.PriceCompletion},
		Breaker: llm.BreakerOptions{Failures: c.BreakerFailures, Patience: c.BreakerPatience, Open: c.BreakerOpen, Probes: c.BreakerProbes},
	}, meter.Called)
	a.ledger = service.NewLedger(a.postgres, a.redis, c.LedgerRoom, log)
	a.gateway = service.New(service.Settings{
		Replica: c.Replica, Boot: boot, TTL: c.CacheTTL, Jitter: c.CacheJitter, StaleFor: c.StaleFor,
		Lease: c.Lease, RequestTimeout: c.RequestTimeout, Limits: c.limits(), MaxFlights: c.MaxQueries,
	}, service.Ports{
		Cache: a.redis, Buckets: a.redis, LeaseStores: []service.LeaseStore{a.redis, a.postgres}, Answers: a.postgres,
		Upstream: a.llm, Ledger: a.ledger, Meter: meter, Log: log,
	})
	a.api = httpapi.New(httpapi.Options{
		Replica: c.Replica, Version: build(), AdminToken: c.AdminToken, Timeout: c.RequestTimeout, Proxies: c.RateIPProxies,
		BodyTimeout: c.BodyTimeout, WriteTimeout: c.WriteTimeout, MaxBodies: c.MaxBodyBytes,
		MaxQueries: c.MaxQueries, MaxWait: c.MaxWait,
		Answerer: a.gateway, Addresses: a.gateway, APIKeys: service.NewAPIKeys(a.postgres, c.PostgresBudget, c.MaxLookUps), Accounts: a.postgres, Meter: meter, Metrics: meter.Handler(),
		Health: map[string]func() bool{
			"redis": a.redis.Up, "postgres": a.postgres.Up, "llm": func() bool { return a.llm.BreakerState() == 0 },
		},
		HeldBack: a.llm.HeldBack,
		Log:      log,
	})
	a.server = c.newServer(a.api, log)
	if c.AdminListen != "" {
		a.server = c.newServer(a.api.Queries(), log)
		a.admin = c.newServer(a.api.Administration(), log)
	}
	a.expose(meter)
	return a, nil
}

func (c Config) newServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, MaxHeaderBytes: c.MaxHeaderBytes,
		ReadHeaderTimeout: c.HeaderTimeout, ReadTimeout: c.HeaderTimeout + max(c.BodyTimeout, c.RequestTimeout) + spareTime,
		WriteTimeout: c.RequestTimeout + c.WriteTimeout + spareTime, IdleTimeout: idleTimeout,
		DisableGeneralOptionsHandler: true, // else OPTIONS * is answered past the handler
		ErrorLog:                     slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

func (c Config) limits() service.Limits {
	return service.Limits{
		PerKey:     service.Limit{Rate: c.RateKey, Burst: c.RateKeyBurst},
		PerAddress: service.Limit{Rate: c.RateIP, Burst: c.RateIPBurst},
		Replicas:   c.RateReplicas,
	}
}

// Timeouts of client connections. Handlers bound bodies and answers themselves, more narrowly: where net/http does, at the end of spareTime,
// it closes the connection without an answer. The balancer keeps idle connections for less long than idleTimeout.
const (
	spareTime   = time.Minute
	idleTimeout = 2 * time.Minute
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
	m.HeldBack(a.llm.Models, a.llm.HeldBack)
	m.Func("sentinel_breaker_state", "0 closed, 1 half-open, 2 open: the worst of all models, for everybody or for all who ask.", nil, func() float64 { return float64(a.llm.BreakerState()) })
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
	served, err := a.listen()
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	a.log.Info("started", "listen", a.config.Listen, "admin_listen", a.config.AdminListen)
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

// listen serves at each address that is set, or at none. The channel gets the error of the server that ends first.
func (a *app) listen() (<-chan error, error) {
	servers := map[string]*http.Server{a.config.Listen: a.server}
	if a.admin != nil {
		servers[a.config.AdminListen] = a.admin
	}
	served := make(chan error, len(servers))
	listeners := make(map[net.Listener]*http.Server, len(servers))
	for address, server := range servers {
		tcp, err := net.Listen("tcp", address)
		if err != nil {
			for opened := range listeners {
				_ = opened.Close()
			}
			return nil, err
		}
		most := 0
		if server == a.server {
			most = a.config.MaxConnections
		}
		listeners[newListener(tcp, most)] = server
	}
	for listener, server := range listeners {
		go func() { served <- server.Serve(listener) }()
	}
	return served, nil
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

// flushShare is the part of the grace period that is kept back for the ledger. The first quarter of it is for flights that are cut off.
const flushShare = 5

// shutdown ends the process in the order in which nothing is lost: unready, but serving on until the balancer knows; then
// no new requests; then requests and flights end; then stores get the answers that they missed, and leases back; then the ledger is
// flushed; then connections close.
func (a *app) shutdown(stopWork func()) error {
	a.log.Info("draining")
	a.api.Drain()
	end := time.Now().Add(a.config.Grace)
	time.Sleep(a.config.Drain) // no event tells that the balancer has noticed
	serving, cancel := context.WithDeadline(context.Background(), end.Add(-a.config.Grace/flushShare))
	defer cancel()
	requests := a.server.Shutdown(serving)
	flights := a.gateway.Wait(serving, a.config.Grace/(4*flushShare))
	a.gateway.FinishHandoff(serving)
	stopWork()
	flushing, cancel := context.WithDeadline(context.Background(), end.Add(-a.config.Grace/(4*flushShare)))
	defer cancel()
	rows := a.ledger.Flush(flushing)
	closing, cancel := context.WithDeadline(context.Background(), end.Add(-a.config.Grace/(8*flushShare)))
	defer cancel()
	admin := a.closeAdmin(closing) // not before: who watches the gateway sees it end
	return errors.Join(named("requests", requests), named("flights", flights), named("ledger", rows), named("administration", admin), a.close(closing))
}

// close closes connections to others. A connection to a store that is silent takes up to 15 s to close, as the store is asked to cancel what
// it was doing: they are left to the end of the process when the context ends, and nothing is lost by that.
func (a *app) close(ctx context.Context) error {
	closed := make(chan error, 1)
	go func() {
		err := a.redis.Close()
		a.postgres.Close()
		closed <- named("redis", err)
	}()
	select {
	case err := <-closed:
		return err
	case <-ctx.Done():
		a.log.Warn("connections are left open: a store does not answer")
		return nil
	}
}

func (a *app) closeAdmin(ctx context.Context) error {
	if a.admin == nil {
		return nil
	}
	return a.admin.Shutdown(ctx)
}

func named(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
