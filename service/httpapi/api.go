// Package httpapi is the gateway's HTTP face.
package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-playground/validator/v10"

	"github.com/sentinel-chaos/sentinel/service"
)

// Answerer is the pipeline behind POST /v1/query.
type Answerer interface {
	Answer(ctx context.Context, r service.Request) (service.Result, error)
}

// APIKeys authenticates and administers API keys.
type APIKeys interface {
	Authenticate(ctx context.Context, key string) (service.Identity, error)
	Issue(ctx context.Context, tenant string) (key, id string, err error)
	Revoke(ctx context.Context, id string) error
	List(ctx context.Context, tenant string) ([]service.Key, error)
}

// Accounts knows what a tenant used, by API key.
type Accounts interface {
	Usage(ctx context.Context, tenant string, from, to time.Time) ([]service.Usage, error)
}

// Meter counts answered requests, and panics.
type Meter interface {
	Served(route string, code int, took time.Duration)
	Panicked() // a panic of a handler, which the log tells of once as well
}

// Options are what an API is made of.
type Options struct {
	Replica    string
	Version    string         // of the program
	AdminToken string         // "" closes the admin endpoints
	Timeout    time.Duration  // of one request, from its arrival
	MaxQueries int            // that are answered at a time, at least 1; others wait or are refused
	MaxWait    time.Duration  // of a query until it is its turn
	Proxies    []netip.Prefix // whose X-Forwarded-For is believed
	Answerer   Answerer
	APIKeys    APIKeys
	Accounts   Accounts
	Meter      Meter
	Metrics    http.Handler
	Health     map[string]func() bool // by dependency: did it answer when last asked
	// HeldBackUntil is until when no query can be answered by a call, because the model asked for a pause; the zero Time if they can.
	HeldBackUntil func() time.Time
	Log           *slog.Logger
}

// API serves HTTP. It is safe for concurrent use.
type API struct {
	Options
	mux       *http.ServeMux
	admission *admission
	validate  *validator.Validate
	active    service.Gauge
	started   atomic.Bool
	draining  atomic.Bool
}

// New makes an API that is not ready yet.
func New(o Options) *API {
	a := &API{Options: o, mux: http.NewServeMux(), admission: newAdmission(o.MaxQueries, o.MaxWait), validate: newValidator()}
	a.mux.Handle("POST /v1/query", a.route("/v1/query", a.admitted(a.query)))
	a.mux.Handle("POST /v1/admin/keys", a.route("/v1/admin/keys", a.admin(a.issueKey)))
	a.mux.Handle("GET /v1/admin/keys", a.route("/v1/admin/keys", a.admin(a.listKeys)))
	a.mux.Handle("DELETE /v1/admin/keys/{id}", a.route("/v1/admin/keys/{id}", a.admin(a.revokeKey)))
	a.mux.Handle("GET /v1/admin/usage", a.route("/v1/admin/usage", a.admin(a.usage)))
	for path, methods := range map[string]string{"/v1/query": "POST", "/v1/admin/keys": "GET, HEAD, POST", "/v1/admin/keys/{id}": "DELETE",
		"/v1/admin/usage": "GET, HEAD"} {
		a.mux.Handle(path, a.route(path, otherMethod(methods)))
	}
	a.mux.Handle("/", a.route("other", func(http.ResponseWriter, *http.Request) error { return errNotFound }))
	a.mux.Handle("GET /live", a.guarded(a.live))
	a.mux.Handle("GET /ready", a.guarded(a.ready))
	a.mux.Handle("GET /health", a.guarded(a.health))
	a.mux.Handle("GET /metrics", a.guarded(o.Metrics.ServeHTTP))
	return a
}

// otherMethod answers a method that a route does not have, with those that it has.
func otherMethod(methods string) handler {
	return func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Allow", methods)
		return errMethod
	}
}

// ServeHTTP answers one request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Served-By", a.Replica)
	if a.draining.Load() {
		w.Header().Set("Connection", "close") // so that the balancer opens its next connection elsewhere
	}
	a.mux.ServeHTTP(w, r)
}

// Active is the gauge of requests being answered; probes and scrapes are not counted.
func (a *API) Active() *service.Gauge { return &a.active }

// Started makes the API ready.
func (a *API) Started() { a.started.Store(true) }

// Drain makes the API unready for good; it goes on serving.
func (a *API) Drain() { a.draining.Store(true) }

// bearer returns the credentials of a request, "" if it has none.
func bearer(r *http.Request) string {
	scheme, credentials, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(credentials)
}
