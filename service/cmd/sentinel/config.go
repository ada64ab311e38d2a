package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

// Config is everything that can be set, by environment variables of these names; docs/SETTINGS.md has them for who runs the program.
// Durations are written as Go writes them: 250ms, 4s, 1m. An empty variable is as good as none. What is taken out of the environment
// (unset) is a secret: it may also be in a file, which the variable of the same name and _FILE names.
type Config struct {
	Listen      string `env:"SENTINEL_LISTEN" envDefault:":8080"`      // address of the API and, if they have none of their own, the probes, the metrics and administration
	AdminListen string `env:"SENTINEL_ADMIN_LISTEN"`                   // address of metrics, probes and administration, if they are to be apart
	Replica     string `env:"SENTINEL_REPLICA" envDefault:"gateway-1"` // this replica's name in headers, metrics and ledger rows
	AdminToken  string `env:"SENTINEL_ADMIN_TOKEN,unset"`              // bearer token of the admin endpoints; empty closes them

	PostgresDSN      string        `env:"SENTINEL_POSTGRES_DSN,notEmpty,unset"`               // where the primary is reached
	PostgresConns    int32         `env:"SENTINEL_POSTGRES_CONNS" envDefault:"12"`            // of this replica, at most; two of them are opened when they are needed
	PostgresBudget   time.Duration `env:"SENTINEL_POSTGRES_BUDGET" envDefault:"500ms"`        // of one operation before PostgreSQL counts as unavailable
	RedisSentinels   addresses     `env:"SENTINEL_REDIS_SENTINELS,notEmpty"`                  // addresses of the Redis Sentinels, host:port, by commas
	RedisMaster      string        `env:"SENTINEL_REDIS_MASTER" envDefault:"m"`               // their name of the master
	RedisUser        string        `env:"SENTINEL_REDIS_USER"`                                // empty for the default one
	RedisPassword    string        `env:"SENTINEL_REDIS_PASSWORD,unset"`                      // empty for none
	SentinelUser     string        `env:"SENTINEL_REDIS_SENTINEL_USER"`                       // of the Redis Sentinels; empty for the default one
	SentinelPassword string        `env:"SENTINEL_REDIS_SENTINEL_PASSWORD,unset"`             // likewise; empty for none
	RedisTLS         bool          `env:"SENTINEL_REDIS_TLS" envDefault:"false"`              // for connections to Redis and to Redis Sentinel
	RedisTLSCA       string        `env:"SENTINEL_REDIS_TLS_CA"`                              // file with the certificates that theirs must be from; empty for those of the system
	RedisTLSCert     string        `env:"SENTINEL_REDIS_TLS_CERT"`                            // file with the gateway's own certificate; empty for none
	RedisTLSKey      string        `env:"SENTINEL_REDIS_TLS_KEY"`                             // file with its key
	RedisBudget      time.Duration `env:"SENTINEL_REDIS_BUDGET" envDefault:"250ms"`           // of one operation before Redis counts as unavailable
	LLMURL           string        `env:"SENTINEL_LLM_URL,notEmpty"`                          // of the OpenAI-compatible server, without the path
	LLMAPIKey        string        `env:"SENTINEL_LLM_API_KEY,unset"`                         // bearer token for that server; empty for none
	LLMTimeout       time.Duration `env:"SENTINEL_LLM_TIMEOUT" envDefault:"2s"`               // of one attempt
	LLMBudget        time.Duration `env:"SENTINEL_LLM_BUDGET" envDefault:"4s"`                // of all attempts of one call
	LLMMaxRest       time.Duration `env:"SENTINEL_LLM_MAX_REST" envDefault:"60s"`             // for which one answer may have all calls of its model held back, whatever its Retry-After says
	PricePrompt      int64         `env:"SENTINEL_PRICE_PROMPT_NANOUSD" envDefault:"150"`     // per token of the prompt
	PriceCompletion  int64         `env:"SENTINEL_PRICE_COMPLETION_NANOUSD" envDefault:"600"` // per token of the completion

	CacheTTL    time.Duration `env:"SENTINEL_CACHE_TTL" envDefault:"60s"`    // how long an answer may be given, at most
	CacheJitter float64       `env:"SENTINEL_CACHE_JITTER" envDefault:"0.1"` // part of it of which a random share is taken off
	StaleFor    time.Duration `env:"SENTINEL_STALE_FOR" envDefault:"0s"`     // how much longer when the LLM fails; 0 is never
	KeepClaims  time.Duration `env:"SENTINEL_KEEP_CLAIMS" envDefault:"10m"`  // in PostgreSQL, when they are over and their answers may not be given any more: for whoever looks into what happened

	Lease          time.Duration `env:"SENTINEL_LEASE" envDefault:"5s"`            // of a flight; longer than a Redis failover and one renewal
	RequestTimeout time.Duration `env:"SENTINEL_REQUEST_TIMEOUT" envDefault:"10s"` // of one request; at least lease, LLM budget and 1 s
	Drain          time.Duration `env:"SENTINEL_DRAIN" envDefault:"500ms"`         // serving on while unready, until the balancer has noticed
	Grace          time.Duration `env:"SENTINEL_GRACE" envDefault:"10s"`           // from SIGTERM to the exit, drain included

	MaxQueries int           `env:"SENTINEL_MAX_QUERIES" envDefault:"4000"` // answered at a time, and keys worked on with a call of the LLM for each; as many more wait for their turn
	MaxWait    time.Duration `env:"SENTINEL_MAX_WAIT" envDefault:"100ms"`   // of a query for its turn, before it is refused

	MaxConnections int           `env:"SENTINEL_MAX_CONNECTIONS" envDefault:"10000"`    // of clients, at a time; others wait. Each takes an open file
	MaxHeaderBytes int           `env:"SENTINEL_MAX_HEADER_BYTES" envDefault:"16384"`   // of one request
	HeaderTimeout  time.Duration `env:"SENTINEL_HEADER_TIMEOUT" envDefault:"5s"`        // for a request's headers to arrive
	BodyTimeout    time.Duration `env:"SENTINEL_BODY_TIMEOUT" envDefault:"5s"`          // for a request's body to arrive
	MaxBodyBytes   int64         `env:"SENTINEL_MAX_BODY_BYTES" envDefault:"268435456"` // of the bodies of all requests together; the memory they take is some three times that
	WriteTimeout   time.Duration `env:"SENTINEL_WRITE_TIMEOUT" envDefault:"5s"`         // for a client to take its answer; it is shorter where the request's time ends before, but a second at least
	MaxLookUps     int           `env:"SENTINEL_MAX_LOOKUPS" envDefault:"256"`          // of API keys that the replica does not know, at a time; others are refused

	BreakerFailures uint32        `env:"SENTINEL_BREAKER_FAILURES" envDefault:"5"`      // in a row, until it opens
	BreakerPatience time.Duration `env:"SENTINEL_BREAKER_PATIENCE" envDefault:"1500ms"` // from the start of the first of them, until it opens; less than the timeout of an attempt
	BreakerOpen     time.Duration `env:"SENTINEL_BREAKER_OPEN" envDefault:"5s"`         // from the start of the attempt that opens it until it lets probes through
	BreakerProbes   uint32        `env:"SENTINEL_BREAKER_PROBES" envDefault:"2"`        // at a time while half-open; as many successes close it

	RateKey       float64  `env:"SENTINEL_RATE_KEY" envDefault:"10000"`       // requests per second of each API key; 0 is no limit
	RateKeyBurst  int      `env:"SENTINEL_RATE_KEY_BURST" envDefault:"20000"` // requests of a key that was idle, at once
	RateIP        float64  `env:"SENTINEL_RATE_IP" envDefault:"0"`            // requests per second of each client address; 0 is no limit
	RateIPBurst   int      `env:"SENTINEL_RATE_IP_BURST" envDefault:"20000"`  // requests of an address that was idle, at once
	RateReplicas  int      `env:"SENTINEL_RATE_REPLICAS" envDefault:"3"`      // that share the limits; each keeps its part of them while Redis is unavailable
	RateIPProxies networks `env:"SENTINEL_RATE_IP_PROXIES"`                   // networks, by commas, whose X-Forwarded-For is believed; none by default

	LedgerRoom int `env:"SENTINEL_LEDGER_ROOM" envDefault:"50000"` // rows kept in memory before requests are refused

	redisTLS *tls.Config // made of the files; nil without TLS

	Remarks []string `env:"-"` // on what is odd and no reason not to start; for the log
}

// errSettings comes with what is wrong with which settings.
var errSettings = errors.New("bad settings")

// loadConfig reads the environment. The error, one line, names all settings that are wrong, and repeats no secret.
func loadConfig() (Config, error) {
	var found problems
	vars := env.ToMap(os.Environ())
	readSecrets(vars, &found)
	c, err := env.ParseAsWithOptions[Config](env.Options{Environment: vars})
	found.unparsed(err)
	c.check(&found)
	c.remark(vars, &found)
	if len(found.texts) > 0 {
		return Config{}, fmt.Errorf("configuration: %w: %s", errSettings, strings.Join(found.texts, "; "))
	}
	return c, nil
}
