package main

import (
	"strings"
	"testing"
	"time"
)

// required sets what has no default.
func required(t *testing.T) {
	t.Setenv("SENTINEL_POSTGRES_DSN", "postgres://localhost/sentinel")
	t.Setenv("SENTINEL_REDIS_SENTINELS", "10.0.0.1:26379,10.0.0.2:26379")
	t.Setenv("SENTINEL_LLM_URL", "http://llm:9000")
}

func TestDefaults(t *testing.T) {
	required(t)
	c, err := loadConfig()
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != ":8080" || c.RedisBudget != 250*time.Millisecond || c.Lease != 5*time.Second || c.CacheJitter != 0.1 ||
		len(c.RedisSentinels) != 2 || c.Grace != 10*time.Second ||
		c.RateKey != 10_000 || c.RateIP != 0 || c.RateIPProxies != nil || c.PricePrompt != 150 || c.PriceCompletion != 600 {
		t.Errorf("got %+v", c)
	}
}

func TestTrustedProxies(t *testing.T) {
	required(t)
	t.Setenv("SENTINEL_RATE_IP_PROXIES", "10.0.0.0/8,fd00::/8")
	c, err := loadConfig()
	if err != nil || len(c.RateIPProxies) != 2 || c.RateIPProxies[0].String() != "10.0.0.0/8" {
		t.Errorf("got %v, %v", c.RateIPProxies, err)
	}
}

func TestBadSettingsAreNamedInOneLine(t *testing.T) {
	tests := []struct{ name, value string }{
		{"SENTINEL_LEASE", "soon"},
		{"SENTINEL_LEASE", "0s"},
		{"SENTINEL_LEASE", "2250ms"}, // 3 times the budgets of Redis and PostgreSQL
		{"SENTINEL_LEASE", "5001ms"}, // with the LLM's budget too long for the request's
		{"SENTINEL_POSTGRES_BUDGET", "2s"},
		{"SENTINEL_REQUEST_TIMEOUT", "9999ms"},
		{"SENTINEL_LLM_TIMEOUT", "-1s"},
		{"SENTINEL_LLM_MAX_REST", "0s"},
		{"SENTINEL_LLM_BUDGET", "1ms"},
		{"SENTINEL_CACHE_JITTER", "1"},
		{"SENTINEL_CACHE_TTL", "60"},
		{"SENTINEL_POSTGRES_CONNS", "0"},
		{"SENTINEL_DRAIN", "1h"},
		{"SENTINEL_BREAKER_PROBES", "0"},
		{"SENTINEL_BREAKER_PATIENCE", "-1s"},
		{"SENTINEL_STALE_FOR", "-1s"},
		{"SENTINEL_KEEP_CLAIMS", "0s"},
		{"SENTINEL_LEDGER_ROOM", "0"},
		{"SENTINEL_MAX_QUERIES", "0"},
		{"SENTINEL_MAX_WAIT", "-1ms"},
		{"SENTINEL_MAX_WAIT", "10s"},
		{"SENTINEL_RATE_KEY", "-1"},
		{"SENTINEL_RATE_KEY", "Inf"},
		{"SENTINEL_RATE_KEY", "0.2"}, // the default burst would take more than a day to come back
		{"SENTINEL_RATE_KEY_BURST", "0"},
		{"SENTINEL_RATE_IP", "NaN"},
		{"SENTINEL_RATE_REPLICAS", "0"},
		{"SENTINEL_RATE_IP_PROXIES", "10.0.0.0"},
		{"SENTINEL_POSTGRES_DSN", ""},
	}
	for _, test := range tests {
		t.Run(test.name+"="+test.value, func(t *testing.T) {
			required(t)
			t.Setenv(test.name, test.value)
			_, err := loadConfig()
			if err == nil {
				t.Fatal("accepted")
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %v", err)
			}
		})
	}
}

func TestUsageErrorsExitWith2(t *testing.T) {
	required(t)
	for name, value := range map[string]string{"SENTINEL_LEASE": "soon", "SENTINEL_POSTGRES_DSN": "postgres://%zz"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, value)
			if code := run(); code != exitUsage {
				t.Errorf("exit code %d", code)
			}
		})
	}
}
