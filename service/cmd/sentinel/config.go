package main

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/caarlos0/env/v11"
)

// Config is everything that can be set, by environment variables of these names. Durations are written as Go writes them:
// 250ms, 4s, 1m.
type Config struct {
	Listen     string `env:"SENTINEL_LISTEN" envDefault:":8080"`      // address of the API, the probes and the metrics
	Replica    string `env:"SENTINEL_REPLICA" envDefault:"gateway-1"` // this replica's name in headers, metrics and ledger rows
	AdminToken string `env:"SENTINEL_ADMIN_TOKEN,unset"`              // bearer token of the admin endpoints; empty closes them

	PostgresDSN     string        `env:"SENTINEL_POSTGRES_DSN,notEmpty,unset"`               // where the primary is reached
	PostgresConns   int32         `env:"SENTINEL_POSTGRES_CONNS" envDefault:"12"`            // of this replica, at most; two of them are opened when they are needed
	PostgresBudget  time.Duration `env:"SENTINEL_POSTGRES_BUDGET" envDefault:"500ms"`        // of one operation before PostgreSQL counts as unavailable
	RedisSentinels  []string      `env:"SENTINEL_REDIS_SENTINELS,notEmpty"`                  // addresses of the Redis Sentinels, host:port, by commas
	RedisMaster     string        `env:"SENTINEL_REDIS_MASTER" envDefault:"m"`               // their name of the master
	RedisBudget     time.Duration `env:"SENTINEL_REDIS_BUDGET" envDefault:"250ms"`           // of one operation before Redis counts as unavailable
	LLMURL          string        `env:"SENTINEL_LLM_URL,notEmpty"`                          // of the OpenAI-compatible server, without the path
	LLMTimeout      time.Duration `env:"SENTINEL_LLM_TIMEOUT" envDefault:"2s"`               // of one attempt
	LLMBudget       time.Duration `env:"SENTINEL_LLM_BUDGET" envDefault:"4s"`                // of all attempts of one call
	LLMMaxRest      time.Duration `env:"SENTINEL_LLM_MAX_REST" envDefault:"60s"`             // for which one answer may have all calls held back, whatever its Retry-After says
	PricePrompt     int64         `env:"SENTINEL_PRICE_PROMPT_NANOUSD" envDefault:"150"`     // per token of the prompt
	PriceCompletion int64         `env:"SENTINEL_PRICE_COMPLETION_NANOUSD" envDefault:"600"` // per token of the completion

	CacheTTL    time.Duration `env:"SENTINEL_CACHE_TTL" envDefault:"60s"`    // how long an answer may be given, at most
	CacheJitter float64       `env:"SENTINEL_CACHE_JITTER" envDefault:"0.1"` // part of it of which a random share is taken off
	StaleFor    time.Duration `env:"SENTINEL_STALE_FOR" envDefault:"0s"`     // how much longer when the LLM fails; 0 is never
	KeepClaims  time.Duration `env:"SENTINEL_KEEP_CLAIMS" envDefault:"10m"`  // in PostgreSQL, when they are over and their answers may not be given any more: for whoever looks into what happened

	Lease          time.Duration `env:"SENTINEL_LEASE" envDefault:"5s"`            // of a flight; longer than a Redis failover and one renewal
	RequestTimeout time.Duration `env:"SENTINEL_REQUEST_TIMEOUT" envDefault:"10s"` // of one request; at least lease, LLM budget and 1 s
	Drain          time.Duration `env:"SENTINEL_DRAIN" envDefault:"500ms"`         // serving on while unready, until the balancer has noticed
	Grace          time.Duration `env:"SENTINEL_GRACE" envDefault:"10s"`           // from SIGTERM to the exit, drain included

	MaxQueries int           `env:"SENTINEL_MAX_QUERIES" envDefault:"4000"` // answered at a time; as many more wait for their turn
	MaxWait    time.Duration `env:"SENTINEL_MAX_WAIT" envDefault:"100ms"`   // of a query for its turn, before it is refused

	BreakerFailures uint32        `env:"SENTINEL_BREAKER_FAILURES" envDefault:"5"`      // in a row, until it opens
	BreakerPatience time.Duration `env:"SENTINEL_BREAKER_PATIENCE" envDefault:"1500ms"` // from the start of the first of them, until it opens; less than the timeout of an attempt
	BreakerOpen     time.Duration `env:"SENTINEL_BREAKER_OPEN" envDefault:"5s"`         // from the start of the attempt that opens it until it lets probes through
	BreakerProbes   uint32        `env:"SENTINEL_BREAKER_PROBES" envDefault:"2"`        // at a time while half-open; as many successes close it

	RateKey       float64        `env:"SENTINEL_RATE_KEY" envDefault:"10000"`       // requests per second of each API key; 0 is no limit
	RateKeyBurst  int            `env:"SENTINEL_RATE_KEY_BURST" envDefault:"20000"` // requests of a key that was idle, at once
	RateIP        float64        `env:"SENTINEL_RATE_IP" envDefault:"0"`            // requests per second of each client address; 0 is no limit
	RateIPBurst   int            `env:"SENTINEL_RATE_IP_BURST" envDefault:"20000"`  // requests of an address that was idle, at once
	RateReplicas  int            `env:"SENTINEL_RATE_REPLICAS" envDefault:"3"`      // that share the limits; each keeps its part of them while Redis is unavailable
	RateIPProxies []netip.Prefix `env:"SENTINEL_RATE_IP_PROXIES"`                   // networks, by commas, whose X-Forwarded-For is believed; none by default

	LedgerRoom int `env:"SENTINEL_LEDGER_ROOM" envDefault:"50000"` // rows kept in memory before requests are refused
}

// loadConfig reads the environment.
func loadConfig() (Config, error) {
	c, err := env.ParseAs[Config]()
	if err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	if err := c.check(); err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	return c, nil
}

var errSetting = errors.New("bad setting")

// check finds values that would parse but could not work.
func (c Config) check() error {
	positive := []struct {
		name  string
		value time.Duration
	}{
		{"SENTINEL_POSTGRES_BUDGET", c.PostgresBudget}, {"SENTINEL_REDIS_BUDGET", c.RedisBudget},
		{"SENTINEL_LLM_TIMEOUT", c.LLMTimeout}, {"SENTINEL_LLM_MAX_REST", c.LLMMaxRest},
		{"SENTINEL_CACHE_TTL", c.CacheTTL}, {"SENTINEL_KEEP_CLAIMS", c.KeepClaims}, {"SENTINEL_LEASE", c.Lease},
		{"SENTINEL_REQUEST_TIMEOUT", c.RequestTimeout}, {"SENTINEL_GRACE", c.Grace}, {"SENTINEL_BREAKER_OPEN", c.BreakerOpen},
	}
	for _, s := range positive {
		if s.value <= 0 {
			return fmt.Errorf("%w: %s must be above 0, not %s", errSetting, s.name, s.value)
		}
	}
	rules := []struct {
		broken bool
		rule   string
	}{
		{c.StaleFor < 0, "SENTINEL_STALE_FOR must not be negative"},
		{c.Drain < 0, "SENTINEL_DRAIN must not be negative"},
		{c.Drain >= c.Grace, "SENTINEL_DRAIN must be shorter than SENTINEL_GRACE"},
		{c.LLMBudget < c.LLMTimeout, "SENTINEL_LLM_BUDGET must be at least SENTINEL_LLM_TIMEOUT"},
		{c.RequestTimeout < c.Lease+c.LLMBudget+time.Second, // else those who wait for a dead holder's flight give up before the next holder has answered
			"SENTINEL_REQUEST_TIMEOUT must be at least SENTINEL_LEASE, SENTINEL_LLM_BUDGET and 1s together"},
		{c.Lease <= 3*(c.RedisBudget+c.PostgresBudget), // else one renewal that meets two outages takes up the time for the next
			"SENTINEL_LEASE must be longer than 3 times SENTINEL_REDIS_BUDGET and SENTINEL_POSTGRES_BUDGET together"},
		{c.CacheJitter < 0 || c.CacheJitter >= 1, "SENTINEL_CACHE_JITTER must be at least 0 and below 1"},
		{c.PostgresConns < 1, "SENTINEL_POSTGRES_CONNS must be at least 1"},
		{c.BreakerPatience < 0, "SENTINEL_BREAKER_PATIENCE must not be negative"},
		{c.BreakerFailures < 1 || c.BreakerProbes < 1, "SENTINEL_BREAKER_FAILURES and _PROBES must be at least 1"},
		{!fills(c.RateKey, c.RateKeyBurst), "SENTINEL_RATE_KEY must not be negative, and SENTINEL_RATE_KEY_BURST at least 1 and at most a day's worth"},
		{!fills(c.RateIP, c.RateIPBurst), "SENTINEL_RATE_IP must not be negative, and SENTINEL_RATE_IP_BURST at least 1 and at most a day's worth"},
		{c.RateReplicas < 1, "SENTINEL_RATE_REPLICAS must be at least 1"},
		{c.MaxQueries < 1, "SENTINEL_MAX_QUERIES must be at least 1"},
		{c.MaxWait < 0 || c.MaxWait >= c.RequestTimeout, "SENTINEL_MAX_WAIT must not be negative, and shorter than SENTINEL_REQUEST_TIMEOUT"},
		{c.LedgerRoom < 1, "SENTINEL_LEDGER_ROOM must be at least 1"},
		{c.PricePrompt < 0 || c.PriceCompletion < 0, "prices must not be negative"},
	}
	for _, r := range rules {
		if r.broken {
			return fmt.Errorf("%w: %s", errSetting, r.rule)
		}
	}
	return nil
}

// longestFill is how long an empty bucket may take to be full: what takes longer is a quota, not a rate.
const longestFill = 24 * time.Hour

// fills reports whether a limit is off or can be kept.
func fills(rate float64, burst int) bool {
	return rate == 0 || rate > 0 && !math.IsInf(rate, 0) && burst >= 1 && float64(burst) <= rate*longestFill.Seconds()
}
