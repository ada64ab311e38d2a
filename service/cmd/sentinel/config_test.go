package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caarlos0/env/v11"
)

// required sets what has no default.
func required(t testing.TB) {
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

// Users read in docs/SETTINGS.md what can be set, and to what it is set.
func TestSettingsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../../docs/SETTINGS.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if cells := strings.Split(line, " | "); strings.HasPrefix(line, "| `SENTINEL_") && len(cells) == 3 {
			documented[strings.Trim(cells[0], "|` ")] = strings.Trim(cells[1], "` ")
		}
	}
	params, err := env.GetFieldParams(&Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range params {
		if value, ok := documented[p.Key]; !ok || value != p.DefaultValue {
			t.Errorf("%s is %q by default, documented (%t) as %q", p.Key, p.DefaultValue, ok, value)
		}
		delete(documented, p.Key)
		if p.Unset && !strings.Contains(string(text), p.Key+"_FILE`") {
			t.Errorf("%s_FILE is not documented", p.Key)
		}
	}
	if len(documented) > 0 {
		t.Errorf("documented and no setting: %v", documented)
	}
}

func TestLists(t *testing.T) {
	for name, list := range map[string]struct{ proxies, sentinels string }{
		"without spaces": {"10.0.0.0/8,fd00::/8", "dead:1,alive:2"},
		"with spaces":    {"10.0.0.0/8, fd00::/8", " dead:1 ,\talive:2 "},
	} {
		t.Run(name, func(t *testing.T) {
			required(t)
			t.Setenv("SENTINEL_RATE_IP_PROXIES", list.proxies)
			t.Setenv("SENTINEL_REDIS_SENTINELS", list.sentinels)
			c, err := loadConfig()
			if err != nil {
				t.Fatal(err)
			}
			if len(c.RateIPProxies) != 2 || c.RateIPProxies[0].String() != "10.0.0.0/8" {
				t.Errorf("proxies %v", c.RateIPProxies)
			}
			if !slices.Equal(c.RedisSentinels, []string{"dead:1", "alive:2"}) {
				t.Errorf("Redis Sentinels %q", c.RedisSentinels)
			}
		})
	}
}

func TestURLOfTheLLM(t *testing.T) {
	for given, want := range map[string]string{
		"http://llm:9000":      "http://llm:9000",
		"http://llm:9000/":     "http://llm:9000",
		"HTTPS://llm":          "https://llm",
		"https://[fd00::1]:99": "https://[fd00::1]:99",
		"http://10.1.2.3/":     "http://10.1.2.3",
	} {
		t.Run(given, func(t *testing.T) {
			required(t)
			t.Setenv("SENTINEL_LLM_URL", given)
			if c, err := loadConfig(); err != nil || c.LLMURL != want {
				t.Errorf("got %q, %v", c.LLMURL, err)
			}
		})
	}
}

func TestBadSettingsAreNamedInOneLine(t *testing.T) {
	tests := []struct{ name, value string }{
		{"SENTINEL_LISTEN", "8080"},
		{"SENTINEL_LISTEN", ":http"},
		{"SENTINEL_LISTEN", ":70000"},
		{"SENTINEL_LISTEN", "10.0.0.1:0"},
		{"SENTINEL_LISTEN", " :8080"},
		{"SENTINEL_ADMIN_LISTEN", "8081"},
		{"SENTINEL_ADMIN_LISTEN", ":8080"}, // the other one's
		{"SENTINEL_REPLICA", "gateway 1"},
		{"SENTINEL_REPLICA", "gateway-1\n"},
		{"SENTINEL_REPLICA", "\xff"},
		{"SENTINEL_REPLICA", strings.Repeat("g", 254)},
		{"SENTINEL_ADMIN_TOKEN", "two words"},
		{"SENTINEL_ADMIN_TOKEN", "token\n"},
		{"SENTINEL_ADMIN_TOKEN", "tökén"},
		{"SENTINEL_LEASE", "soon"},
		{"SENTINEL_LEASE", "0s"},
		{"SENTINEL_LEASE", "2250ms"},   // 3 times the budgets of Redis and PostgreSQL
		{"SENTINEL_LEASE", "5001ms"},   // with the LLM's budget too long for the request's
		{"SENTINEL_LEASE", "2562047h"}, // its sum with others is negative
		{"SENTINEL_LEASE", "9999999h"},
		{"SENTINEL_POSTGRES_BUDGET", "2s"},
		{"SENTINEL_POSTGRES_BUDGET", "1ns"},
		{"SENTINEL_REDIS_BUDGET", "1ms"}, // the time for replicas would be 0, which Redis takes for any
		{"SENTINEL_REDIS_BUDGET", "-250ms"},
		{"SENTINEL_REQUEST_TIMEOUT", "9999ms"},
		{"SENTINEL_LLM_TIMEOUT", "-1s"},
		{"SENTINEL_LLM_TIMEOUT", "1500ms"}, // the breaker's patience
		{"SENTINEL_LLM_MAX_REST", "0s"},
		{"SENTINEL_LLM_BUDGET", "1ms"},
		{"SENTINEL_CACHE_JITTER", "1"},
		{"SENTINEL_CACHE_JITTER", "-0.1"},
		{"SENTINEL_CACHE_JITTER", "NaN"},
		{"SENTINEL_CACHE_JITTER", "a tenth"},
		{"SENTINEL_CACHE_JITTER", "0.99999"}, // some answers would live for less than a millisecond
		{"SENTINEL_CACHE_TTL", "60"},
		{"SENTINEL_CACHE_TTL", "1ns"},
		{"SENTINEL_POSTGRES_CONNS", "0"},
		{"SENTINEL_POSTGRES_CONNS", "2147483647"},
		{"SENTINEL_POSTGRES_CONNS", "2147483648"},
		{"SENTINEL_POSTGRES_CONNS", "12.5"},
		{"SENTINEL_DRAIN", "1h"},
		{"SENTINEL_DRAIN", "4001ms"}, // leaves less than the LLM's budget of the grace
		{"SENTINEL_DRAIN", "-1s"},
		{"SENTINEL_GRACE", "5s"},
		{"SENTINEL_GRACE", "0s"},
		{"SENTINEL_BREAKER_FAILURES", "-1"},
		{"SENTINEL_BREAKER_FAILURES", "0"},
		{"SENTINEL_BREAKER_PROBES", "0"},
		{"SENTINEL_BREAKER_PATIENCE", "-1s"},
		{"SENTINEL_BREAKER_PATIENCE", "2s"}, // the timeout of an attempt
		{"SENTINEL_BREAKER_OPEN", "0s"},
		{"SENTINEL_STALE_FOR", "-1s"},
		{"SENTINEL_STALE_FOR", "2562047h"},
		{"SENTINEL_KEEP_CLAIMS", "0s"},
		{"SENTINEL_KEEP_CLAIMS", "1us"}, // would be swept twenty times in that time
		{"SENTINEL_LEDGER_ROOM", "0"},
		{"SENTINEL_LEDGER_ROOM", "1e3"},
		{"SENTINEL_MAX_QUERIES", "0"},
		{"SENTINEL_MAX_QUERIES", "4 000"},
		{"SENTINEL_MAX_WAIT", "-1ms"},
		{"SENTINEL_MAX_WAIT", "10s"},
		{"SENTINEL_PRICE_PROMPT_NANOUSD", "-1"},
		{"SENTINEL_PRICE_PROMPT_NANOUSD", "9223372036854775807"},
		{"SENTINEL_PRICE_COMPLETION_NANOUSD", "0.6"},
		{"SENTINEL_MAX_CONNECTIONS", "0"},
		{"SENTINEL_MAX_HEADER_BYTES", "0"},
		{"SENTINEL_MAX_LOOKUPS", "0"},
		{"SENTINEL_MAX_BODY_BYTES", "1000000"},
		{"SENTINEL_HEADER_TIMEOUT", "0s"},
		{"SENTINEL_BODY_TIMEOUT", "-1s"},
		{"SENTINEL_WRITE_TIMEOUT", "0s"},
		{"SENTINEL_RATE_KEY", "-1"},
		{"SENTINEL_RATE_KEY", "Inf"},
		{"SENTINEL_RATE_KEY", "0.2"}, // the default burst would take more than a day to come back
		{"SENTINEL_RATE_KEY_BURST", "0"},
		{"SENTINEL_RATE_IP", "NaN"},
		{"SENTINEL_RATE_IP", "1e400"},
		{"SENTINEL_RATE_REPLICAS", "0"},
		{"SENTINEL_RATE_REPLICAS", "1001"}, // a replica's own bucket would take years to fill
		{"SENTINEL_RATE_IP_PROXIES", "10.0.0.0"},
		{"SENTINEL_RATE_IP_PROXIES", "10.0.0.0/33"},
		{"SENTINEL_RATE_IP_PROXIES", "10.0.0.0/8,"},
		{"SENTINEL_RATE_IP_PROXIES", "::ffff:10.0.0.0/104"}, // matches no address: they are unmapped
		{"SENTINEL_REDIS_SENTINELS", ""},
		{"SENTINEL_REDIS_SENTINELS", " "},
		{"SENTINEL_REDIS_SENTINELS", "dead"},
		{"SENTINEL_REDIS_SENTINELS", "dead:1,alive"},
		{"SENTINEL_REDIS_SENTINELS", "dead:1,,alive:2"},
		{"SENTINEL_REDIS_SENTINELS", "dead:1,"},
		{"SENTINEL_REDIS_SENTINELS", ":26379"},
		{"SENTINEL_REDIS_SENTINELS", "dead:0"},
		{"SENTINEL_REDIS_SENTINELS", "dead:65536"},
		{"SENTINEL_REDIS_SENTINELS", "dead:+1"},
		{"SENTINEL_REDIS_SENTINELS", "redis://dead:1"},
		{"SENTINEL_REDIS_SENTINELS", "dead:1/0"},
		{"SENTINEL_REDIS_SENTINELS", "dead:1 alive:2"},
		{"SENTINEL_REDIS_MASTER", "my master"},
		{"SENTINEL_REDIS_USER", "gateway"}, // without a password
		{"SENTINEL_REDIS_SENTINEL_USER", "gateway"},
		{"SENTINEL_REDIS_TLS", "perhaps"},
		{"SENTINEL_REDIS_TLS_CA", "/nowhere/ca.pem"}, // without TLS
		{"SENTINEL_REDIS_TLS_CERT", "/nowhere/cert.pem"},
		{"SENTINEL_REDIS_TLS_KEY", "/nowhere/key.pem"},
		{"SENTINEL_LLM_API_KEY", "two words"},
		{"SENTINEL_LLM_URL", ""},
		{"SENTINEL_LLM_URL", "llm:9000"},
		{"SENTINEL_LLM_URL", "llm"},
		{"SENTINEL_LLM_URL", "//llm:9000"},
		{"SENTINEL_LLM_URL", "http:llm"},
		{"SENTINEL_LLM_URL", "http://"},
		{"SENTINEL_LLM_URL", "http://:9000"},
		{"SENTINEL_LLM_URL", "http://llm:"},
		{"SENTINEL_LLM_URL", "http://llm:0"},
		{"SENTINEL_LLM_URL", "http://llm:99999"},
		{"SENTINEL_LLM_URL", "ftp://llm"},
		{"SENTINEL_LLM_URL", "http://llm/v1"},
		{"SENTINEL_LLM_URL", "http://llm//"},
		{"SENTINEL_LLM_URL", "http://llm?key=1"},
		{"SENTINEL_LLM_URL", "http://llm?"},
		{"SENTINEL_LLM_URL", "http://llm#"},
		{"SENTINEL_LLM_URL", "http://user:password@llm"},
		{"SENTINEL_LLM_URL", " http://llm"},
		{"SENTINEL_LLM_URL", "http://llm "},
		{"SENTINEL_LLM_URL", "http://one,two"},
		{"SENTINEL_POSTGRES_DSN", ""},
		{"SENTINEL_POSTGRES_DSN", "nonsense"},
		{"SENTINEL_POSTGRES_DSN", "postgres://%zz"},
		{"SENTINEL_POSTGRES_DSN", "postgres://localhost:port/sentinel"},
		{"SENTINEL_POSTGRES_DSN", "postgres://localhost/sentinel?sslmode=always"},
		{"SENTINEL_POSTGRES_DSN", "postgres://localhost/sentinel?sslmod=require"}, // pgx would ask the server for a setting of that name
		{"SENTINEL_POSTGRES_DSN", "postgres://localhost/sentinel?sslrootcert=/nowhere/ca.pem"},
		{"SENTINEL_POSTGRES_DSN", "mysql://localhost/sentinel?sslmode=disable"},
		{"SENTINEL_LAESE", "5s"}, // names that are near to those of settings
		{"SENTINEL_RATE_KEYS", "5"},
		{"SENTINAL_LEASE", "5s"},
		{"sentinel_lease", "5s"},
	}
	for _, test := range tests {
		t.Run(test.name+"="+test.value, func(t *testing.T) {
			required(t)
			t.Setenv(test.name, test.value)
			_, err := loadConfig()
			if err == nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), test.name) || strings.Contains(err.Error(), "\n") {
				t.Errorf("it does not name the setting in one line: %v", err)
			}
		})
	}
}

// Whoever has to mend settings learns of all that are wrong at once, and only of those.
func TestAllBadSettingsInOneMessage(t *testing.T) {
	required(t)
	bad := map[string]string{
		"SENTINEL_LEASE": "soon", "SENTINEL_GRACE": "-1s", "SENTINEL_LLM_URL": "llm", "SENTINEL_POSTGRES_DSN": "nonsense", "SENTINEL_REDIS_SENTINELS": "dead",
		"SENTINEL_CACHE_JITTER": "NaN", "SENTINEL_MAX_QUERYS": "8", "SENTINEL_MAX_WAIT": "11s",
	}
	for name, value := range bad {
		t.Setenv(name, value)
	}
	_, err := loadConfig()
	if err == nil {
		t.Fatal("accepted")
	}
	for name := range bad {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named: %v", name, err)
		}
	}
	for _, innocent := range []string{"SENTINEL_DRAIN", "SENTINEL_LLM_BUDGET", "SENTINEL_REPLICA"} {
		if strings.Contains(err.Error(), innocent) {
			t.Errorf("%s is named: %v", innocent, err)
		}
	}
}

// What is like no setting may be the platform's: a container of a pod beside a service called sentinel gets some by itself.
func TestStrangeNamesAreRemarkedOn(t *testing.T) {
	required(t)
	t.Setenv("SENTINEL_SERVICE_HOST", "10.0.0.9")
	t.Setenv("SENTINEL_PORT", "tcp://10.0.0.9:80")
	t.Setenv("SENTINEL_REDIS_PORT", "tcp://10.0.0.9:6379")
	t.Setenv("SENTINEL_REDIS_PORT_6379_TCP_ADDR", "10.0.0.9")
	c, err := loadConfig()
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Remarks) != 4 || !strings.Contains(c.Remarks[0], "SENTINEL_PORT") {
		t.Errorf("remarks: %q", c.Remarks)
	}
}

func TestLimitByAddressWithoutProxiesIsRemarkedOn(t *testing.T) {
	required(t)
	t.Setenv("SENTINEL_RATE_IP", "1000")
	if c, err := loadConfig(); err != nil || len(c.Remarks) != 1 || !strings.Contains(c.Remarks[0], "SENTINEL_RATE_IP_PROXIES") {
		t.Errorf("remarks %q, %v", c.Remarks, err)
	}
}

// Whatever is wrong with a value that may hold a secret, the message does not repeat it.
func TestNoSecretInTheMessage(t *testing.T) {
	const secret = "hunter2"
	for name, values := range map[string][]string{
		"SENTINEL_ADMIN_TOKEN": {secret + " "},
		"SENTINEL_LLM_API_KEY": {secret + "\n"},
		"SENTINEL_LLM_URL":     {"http://user:" + secret + "@llm", "http://llm?key=" + secret, "http://user:" + secret + "%zz@llm"},
		"SENTINEL_POSTGRES_DSN": {
			"postgres://user:" + secret + "%zz@host/db", "postgres://user:x/" + secret + "@host/db", "postgres://user:x:" + secret + "@[host/db",
			"host=h pasword=" + secret + " sslmode=always", "user=u " + secret, "postgres://user:x?" + secret + "#@host:port/db", secret,
		},
	} {
		for _, value := range values {
			t.Run(name+"="+value, func(t *testing.T) {
				required(t)
				t.Setenv(name, value)
				if _, err := loadConfig(); err == nil || strings.Contains(err.Error(), secret) {
					t.Errorf("got %v", err)
				}
			})
		}
	}
}

func TestUsageErrorsExitWith2(t *testing.T) {
	for name, value := range map[string]string{"SENTINEL_LEASE": "soon", "SENTINEL_POSTGRES_DSN": "postgres://%zz", "SENTINEL_LISTEN": "8080",
		"SENTINEL_LLM_URL": " http://llm", "SENTINEL_REDIS_SENTINELS": "dead"} {
		t.Run(name, func(t *testing.T) {
			required(t)
			t.Setenv(name, value)
			code, said := runAndHear(t)
			if code != exitUsage || !strings.Contains(said, name) {
				t.Errorf("exit code %d, saying %q", code, said)
			}
		})
	}
}

// runAndHear runs the program and returns its exit code and what it said on standard error.
func runAndHear(t *testing.T) (code int, said string) {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	stderr := os.Stderr
	os.Stderr = file
	defer func() { os.Stderr = stderr }()
	code = run()
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	return code, string(text)
}
