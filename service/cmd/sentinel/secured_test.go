package main

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/sentinel-chaos/sentinel/service/internal/servers"
)

// syncLog is a log that many write and one reads.
type syncLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *syncLog) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(text)
}

func (l *syncLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// With TLS and passwords everywhere, and all secrets in files, a query is answered by way of both stores, and the log has no secret.
func TestSecuredGateway(t *testing.T) {
	redis, certs := servers.StartSecuredRedis(t)
	dsn, postgresCerts := servers.StartSecuredPostgres(t)
	const apiKey, adminToken, postgresPassword = "key-of-the-llm", "token-of-the-admin", "password-of-postgres"
	llm := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+apiKey {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, `{"id":"c1","model":"m","choices":[{"message":{"content":"hello"}}],"usage":{"prompt_tokens":1,"completion_tokens":2}}`)
	}))
	defer llm.Close()
	listen := nobody(t)
	for name, value := range map[string]string{
		"SENTINEL_LISTEN": listen, "SENTINEL_LLM_URL": llm.URL, "SENTINEL_LLM_API_KEY_FILE": written(t, apiKey+"\n"),
		"SENTINEL_ADMIN_TOKEN_FILE": written(t, adminToken), "SENTINEL_DRAIN": "0s",
		"SENTINEL_POSTGRES_DSN_FILE": written(t, strings.Replace(dsn, "sentinel@", "sentinel:"+postgresPassword+"@", 1)+"?sslmode=verify-full&sslrootcert="+postgresCerts.CA),
		"SENTINEL_REDIS_SENTINELS":   redis.Sentinel.Addr, "SENTINEL_REDIS_MASTER": redis.Name,
		"SENTINEL_REDIS_USER": servers.RedisUser, "SENTINEL_REDIS_PASSWORD_FILE": written(t, servers.RedisPassword),
		"SENTINEL_REDIS_SENTINEL_USER": servers.RedisSentinelUser, "SENTINEL_REDIS_SENTINEL_PASSWORD_FILE": written(t, servers.RedisSentinelPassword),
		"SENTINEL_REDIS_TLS": "true", "SENTINEL_REDIS_TLS_CA": certs.CA, "SENTINEL_REDIS_TLS_CERT": certs.Cert, "SENTINEL_REDIS_TLS_KEY": certs.Key,
	} {
		t.Setenv(name, value)
	}
	c, err := loadConfig()
	if err != nil {
		t.Fatal(err)
	}
	unhurried(&c)
	log := &syncLog{}
	_, sigterm, stopped := running(t, c, slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	api := client{t, "http://" + listen, &http.Client{Transport: transport}}
	api.awaitStatus("the gateway is ready", http.StatusOK)
	_, issued := api.send("POST", "/v1/admin/keys", adminToken, `{"tenant":"acme"}`)
	key, _ := issued["api_key"].(string)
	for _, source := range []string{"call", "hit"} { // the second from Redis
		if status, got := api.send("POST", "/v1/query", key, `{"model":"m","prompt":"p","max_tokens":8}`); status != http.StatusOK || got["source"] != source {
			t.Errorf("got %d, %v", status, got)
		}
	}
	sigterm()
	if err := <-stopped; err != nil {
		t.Errorf("stopped with %v", err)
	}
	for _, secret := range []string{apiKey, adminToken, postgresPassword, servers.RedisPassword, servers.RedisSentinelPassword} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log has %s:\n%s", secret, log)
		}
	}
}
