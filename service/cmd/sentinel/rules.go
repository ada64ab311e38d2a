package main

import (
	"fmt"
	"math"
	"time"

	"github.com/sentinel-chaos/sentinel/service/httpapi"
	"github.com/sentinel-chaos/sentinel/service/postgres"
)

// Bounds of settings.
const (
	// longestDuration bounds each duration. Nobody means to wait longer, and sums of a few are far from what a Duration holds.
	longestDuration = 365 * 24 * time.Hour
	// leastDuration bounds those that must not be 0: stores count in milliseconds.
	leastDuration = time.Millisecond
	// leastBudget bounds the budgets of stores: an operation that waits for replicas takes milliseconds when all is well.
	leastBudget = 10 * time.Millisecond
	// leastKept bounds the time for which old claims are kept: they are looked for twenty times within it.
	leastKept = time.Second
	// mostConns is what PostgreSQL itself allows, whatever it is set to.
	mostConns = 262_143
	// mostReplicas keeps the time in which a replica's own bucket fills within what a Duration holds.
	mostReplicas = 1000
	// dearest bounds the price of a token: a dollar. An answer of as many tokens as are believed still has a price.
	dearest = 1_000_000_000
	// afterGap is for how long a request goes on, at the least, when a dead holder's lease and the next one's call are over.
	afterGap = time.Second
	// renewals is how many renewals that meet an outage of both stores a lease must outlast.
	renewals = 3
)

// check finds values that can be read but could not work, each alone and with the others.
func (c *Config) check(p *problems) {
	c.checkText(p)
	c.checkRedisTLS(p)
	durations := []struct {
		name         string
		value, least time.Duration
	}{
		{"SENTINEL_POSTGRES_BUDGET", c.PostgresBudget, leastBudget}, {"SENTINEL_REDIS_BUDGET", c.RedisBudget, leastBudget},
		{"SENTINEL_LLM_TIMEOUT", c.LLMTimeout, leastDuration}, {"SENTINEL_LLM_BUDGET", c.LLMBudget, leastDuration},
		{"SENTINEL_LLM_MAX_REST", c.LLMMaxRest, leastDuration},
		{"SENTINEL_CACHE_TTL", c.CacheTTL, leastDuration}, {"SENTINEL_STALE_FOR", c.StaleFor, 0},
		{"SENTINEL_KEEP_CLAIMS", c.KeepClaims, leastKept}, {"SENTINEL_LEASE", c.Lease, leastDuration},
		{"SENTINEL_REQUEST_TIMEOUT", c.RequestTimeout, leastDuration}, {"SENTINEL_GRACE", c.Grace, leastDuration},
		{"SENTINEL_DRAIN", c.Drain, 0}, {"SENTINEL_MAX_WAIT", c.MaxWait, 0},
		{"SENTINEL_HEADER_TIMEOUT", c.HeaderTimeout, leastDuration}, {"SENTINEL_BODY_TIMEOUT", c.BodyTimeout, leastDuration},
		{"SENTINEL_WRITE_TIMEOUT", c.WriteTimeout, leastDuration},
		{"SENTINEL_BREAKER_OPEN", c.BreakerOpen, leastDuration}, {"SENTINEL_BREAKER_PATIENCE", c.BreakerPatience, 0},
	}
	for _, d := range durations {
		if d.value < d.least || d.value > longestDuration {
			p.add(fmt.Sprintf("%s must be at least %s and at most a year, not %s", d.name, d.least, d.value))
		}
	}
	rules := []struct {
		broken bool
		rule   string
	}{
		{!(c.CacheJitter >= 0 && c.CacheJitter < 1), "SENTINEL_CACHE_JITTER must be at least 0 and below 1"}, // so that NaN is refused
		{c.PostgresConns < 1 || c.PostgresConns > mostConns, fmt.Sprintf("SENTINEL_POSTGRES_CONNS must be at least 1 and at most %d", mostConns)},
		{c.BreakerFailures < 1, "SENTINEL_BREAKER_FAILURES must be at least 1"},
		{c.BreakerProbes < 1, "SENTINEL_BREAKER_PROBES must be at least 1"},
		{c.RateReplicas < 1 || c.RateReplicas > mostReplicas, fmt.Sprintf("SENTINEL_RATE_REPLICAS must be at least 1 and at most %d", mostReplicas)},
		{c.MaxQueries < 1, "SENTINEL_MAX_QUERIES must be at least 1"},
		{c.MaxConnections < 1, "SENTINEL_MAX_CONNECTIONS must be at least 1"},
		{c.MaxHeaderBytes < 1, "SENTINEL_MAX_HEADER_BYTES must be at least 1"},
		{c.MaxLookUps < 1, "SENTINEL_MAX_LOOKUPS must be at least 1"},
		{c.MaxBodyBytes < httpapi.MaxBody, fmt.Sprintf("SENTINEL_MAX_BODY_BYTES must be at least %d, which one body may have", httpapi.MaxBody)},
		{c.LedgerRoom < 1, "SENTINEL_LEDGER_ROOM must be at least 1"},
		{c.PricePrompt < 0 || c.PricePrompt > dearest, fmt.Sprintf("SENTINEL_PRICE_PROMPT_NANOUSD must be at least 0 and at most %d", dearest)},
		{c.PriceCompletion < 0 || c.PriceCompletion > dearest, fmt.Sprintf("SENTINEL_PRICE_COMPLETION_NANOUSD must be at least 0 and at most %d", dearest)},

		{c.AdminListen == c.Listen, "SENTINEL_ADMIN_LISTEN must not be SENTINEL_LISTEN"},
		{c.RedisUser != "" && c.RedisPassword == "", "SENTINEL_REDIS_USER needs SENTINEL_REDIS_PASSWORD"},
		{c.SentinelUser != "" && c.SentinelPassword == "", "SENTINEL_REDIS_SENTINEL_USER needs SENTINEL_REDIS_SENTINEL_PASSWORD"},
		{!c.RedisTLS && c.RedisTLSCA != "", "SENTINEL_REDIS_TLS_CA needs SENTINEL_REDIS_TLS"},
		{!c.RedisTLS && c.RedisTLSCert != "", "SENTINEL_REDIS_TLS_CERT needs SENTINEL_REDIS_TLS"},
		{(c.RedisTLSCert == "") != (c.RedisTLSKey == ""), "SENTINEL_REDIS_TLS_CERT and SENTINEL_REDIS_TLS_KEY need each other"},
		{float64(c.CacheTTL)*(1-c.CacheJitter) < float64(leastDuration), "SENTINEL_CACHE_TTL less a share of SENTINEL_CACHE_JITTER must be at least " + leastDuration.String()},
		{c.Drain >= c.Grace, "SENTINEL_DRAIN must be shorter than SENTINEL_GRACE"},
		{c.Grace-c.Grace/flushShare-c.Drain < c.LLMBudget, // else calls that are paid for are cut off
			"four fifths of SENTINEL_GRACE less SENTINEL_DRAIN must be at least SENTINEL_LLM_BUDGET"},
		{c.LLMBudget < c.LLMTimeout, "SENTINEL_LLM_BUDGET must be at least SENTINEL_LLM_TIMEOUT"},
		{c.BreakerPatience >= c.LLMTimeout, // else attempts that time out together do not open it
			"SENTINEL_BREAKER_PATIENCE must be shorter than SENTINEL_LLM_TIMEOUT"},
		{c.RequestTimeout < c.Lease+c.LLMBudget+afterGap, // else those who wait for a dead holder's flight give up before the next holder has answered
			"SENTINEL_REQUEST_TIMEOUT must be at least SENTINEL_LEASE, SENTINEL_LLM_BUDGET and 1s together"},
		{c.Lease <= renewals*(c.RedisBudget+c.PostgresBudget), // else one renewal that meets two outages takes up the time for the next
			"SENTINEL_LEASE must be longer than 3 times SENTINEL_REDIS_BUDGET and SENTINEL_POSTGRES_BUDGET together"},
		{c.MaxWait >= c.RequestTimeout, "SENTINEL_MAX_WAIT must be shorter than SENTINEL_REQUEST_TIMEOUT"},
		{!fills(c.RateKey, c.RateKeyBurst), "SENTINEL_RATE_KEY must not be negative, and SENTINEL_RATE_KEY_BURST at least 1 and at most a day's worth"},
		{!fills(c.RateIP, c.RateIPBurst), "SENTINEL_RATE_IP must not be negative, and SENTINEL_RATE_IP_BURST at least 1 and at most a day's worth"},
	}
	for _, r := range rules {
		if r.broken {
			p.add(r.rule)
		}
	}
}

// checkText finds what is wrong with addresses, names and secrets. It leaves the LLM's address as it is used, without a slash at its end.
func (c *Config) checkText(p *problems) {
	var badURL error
	c.LLMURL, badURL = baseURL(c.LLMURL)
	for _, setting := range []struct {
		name string
		err  error
	}{
		{"SENTINEL_LISTEN", checkListen(c.Listen)},
		{"SENTINEL_ADMIN_LISTEN", checkAdminListen(c.AdminListen)},
		{"SENTINEL_REPLICA", checkName(c.Replica)},
		{"SENTINEL_ADMIN_TOKEN", checkToken(c.AdminToken)},
		{"SENTINEL_REDIS_MASTER", checkName(c.RedisMaster)},
		{"SENTINEL_LLM_URL", badURL},
		{"SENTINEL_LLM_API_KEY", checkToken(c.LLMAPIKey)},
		{"SENTINEL_POSTGRES_DSN", postgres.CheckDSN(c.PostgresDSN)},
	} {
		if setting.err != nil {
			p.add(setting.name + ": " + setting.err.Error())
		}
	}
}

// longestFill is how long an empty bucket may take to be full: what takes longer is a quota, not a rate.
const longestFill = 24 * time.Hour

// fills reports whether a limit is off or can be kept.
func fills(rate float64, burst int) bool {
	return rate == 0 || rate > 0 && !math.IsInf(rate, 0) && burst >= 1 && float64(burst) <= rate*longestFill.Seconds()
}
