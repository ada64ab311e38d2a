package main

import (
	"log/slog"
	"net"
	"net/http"
	"testing"
)

// With a listener of their own, probes, metrics and administration are not where clients are, and can be asked until the process ends.
func TestListenerOfItsOwn(t *testing.T) {
	public, own := nobody(t), nobody(t)
	required(t)
	t.Setenv("SENTINEL_LISTEN", public)
	t.Setenv("SENTINEL_ADMIN_LISTEN", own)
	t.Setenv("SENTINEL_ADMIN_TOKEN", "admin")
	t.Setenv("SENTINEL_POSTGRES_DSN", "postgres://"+nobody(t)+"/sentinel")
	t.Setenv("SENTINEL_REDIS_SENTINELS", nobody(t))
	t.Setenv("SENTINEL_DRAIN", longDrain.String())
	c, err := loadConfig()
	if err != nil {
		t.Fatal(err)
	}
	_, sigterm, stopped := running(t, c, slog.New(slog.DiscardHandler))
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	clients := client{t, "http://" + public, &http.Client{Transport: transport}}
	operators := client{t, "http://" + own, &http.Client{Transport: transport}}
	operators.awaitState("starting")
	for _, test := range []struct {
		method, path   string
		public, behind int
	}{
		{"POST", "/v1/query", http.StatusUnauthorized, http.StatusNotFound},
		{"GET", "/live", http.StatusOK, http.StatusOK},
		{"GET", "/ready", http.StatusNotFound, http.StatusServiceUnavailable},
		{"GET", "/health", http.StatusNotFound, http.StatusOK},
		{"GET", "/metrics", http.StatusNotFound, http.StatusOK},
		{"GET", "/v1/admin/usage", http.StatusNotFound, http.StatusUnprocessableEntity},
	} {
		if got, _ := clients.send(test.method, test.path, adminsFor(test.path), `{"model":"m","prompt":"p"}`); got != test.public {
			t.Errorf("%s %s where clients are: %d, not %d", test.method, test.path, got, test.public)
		}
		if got, _ := operators.send(test.method, test.path, adminsFor(test.path), ""); got != test.behind {
			t.Errorf("%s %s apart: %d, not %d", test.method, test.path, got, test.behind)
		}
	}
	sigterm()
	operators.awaitState("draining")
	if err := <-stopped; err != nil {
		t.Errorf("stopped with %v", err)
	}
	for name, api := range map[string]client{"clients": clients, "operators": operators} {
		if status, _ := api.send("GET", "/live", "", ""); status != 0 {
			t.Errorf("the listener of %s is open: %d", name, status)
		}
	}
}

// adminsFor is the token that a request for a path comes with: queries have no key here.
func adminsFor(path string) string {
	if path == "/v1/query" {
		return ""
	}
	return "admin"
}

// If one of two addresses cannot be listened at, the process listens at none.
func TestListenerThatCannotBe(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	public := nobody(t)
	required(t)
	t.Setenv("SENTINEL_LISTEN", public)
	t.Setenv("SENTINEL_ADMIN_LISTEN", taken.Addr().String())
	c, err := loadConfig()
	if err != nil {
		t.Fatal(err)
	}
	a, err := assemble(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer a.postgres.Close()
	defer a.redis.Close()
	if err := a.run(t.Context()); err == nil {
		t.Error("it ran")
	}
	free, err := net.Listen("tcp", public)
	if err != nil {
		t.Fatal(err)
	}
	_ = free.Close()
}
