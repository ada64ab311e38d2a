// Package httpapi is the gateway's HTTP face.
package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"path"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-playground/validator/v10"
	"golang.org/x/sync/semaphore"

	"github.com/sentinel-chaos/sentinel/service"
)

// Answerer is the pipeline behind POST /v1/query.
type Answerer interface {
	Answer(ctx context.Context, r service.Request) (service.Result, error)
}

// Addresses limit how much may be asked from one address.
type Addresses interface {
	// AdmitAddress returns a *service.Limited if too much is.
	AdmitAddress(ctx context.Context, client netip.Addr) error
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
	Replica      string
	Version      string         // of the program
	AdminToken   string         // "" closes the admin endpoints
	Timeout      time.Duration  // of one request, from its arrival
	BodyTimeout  time.Duration  // for a request's body to arrive
	WriteTimeout time.Duration  // for a client to take its answer
	MaxBodies    int64          // bytes of bodies in memory, of all requests together
	MaxQueries   int            // that are answered at a time, at least 1; others wait or are refused
	MaxWait      time.Duration  // of a query until it is its turn
	Proxies      []netip.Prefix // whose X-Forwarded-For is believed
	Answerer     Answerer
	Addresses    Addresses
	APIKeys      APIKeys
	Accounts     Accounts
	Meter        Meter
	Metrics      http.Handler
	Health       map[string]func() bool    // by dependency: did it answer when last asked
	HeldBack     func() []service.HeldBack // the models of which no query can be answered by a call
	Log          *slog.Logger
}

// API serves HTTP. It is safe for concurrent use.
type API struct {
	Options
	mux       *http.ServeMux
	nothing   http.Handler // for paths that are not there
	admission *admission
	bodies    *semaphore.Weighted // of bytes
	validate  *validator.Validate
	active    service.Gauge
	started   atomic.Bool
	draining  atomic.Bool
}

// New makes an API that is not ready yet.
func New(o Options) *API {
	a := &API{Options: o, mux: http.NewServeMux(), admission: newAdmission(o.MaxQueries, o.MaxWait),
		bodies: semaphore.NewWeighted(o.MaxBodies), validate: newValidator()}
	a.mux.Handle("POST /v1/query", a.route("/v1/query", a.query))
	a.mux.Handle("POST /v1/admin/keys", a.route("/v1/admin/keys", a.admin(a.issueKey)))
	a.mux.Handle("GET /v1/admin/keys", a.route("/v1/admin/keys", a.admin(a.listKeys)))
	a.mux.Handle("DELETE /v1/admin/keys/{id}", a.route("/v1/admin/keys/{id}", a.admin(a.revokeKey)))
	a.mux.Handle("GET /v1/admin/usage", a.route("/v1/admin/usage", a.admin(a.usage)))
	for route, methods := range map[string]string{"/v1/query": "POST", "/v1/admin/keys": "GET, HEAD, POST", "/v1/admin/keys/{id}": "DELETE",
		"/v1/admin/usage": "GET, HEAD"} {
		a.mux.Handle(route, a.route(route, otherMethod(methods)))
	}
	a.nothing = a.route("other", func(http.ResponseWriter, *http.Request) error { return errNotFound })
	a.mux.Handle("/", a.nothing)
	a.mux.Handle("GET /live", a.guarded(a.live))
	a.mux.Handle("GET /ready", a.guarded(a.ready))
	a.mux.Handle("GET /health", a.guarded(a.health))
	a.mux.Handle("GET /metrics", a.guarded(newScrapes(o.Metrics).ServeHTTP))
	return a
}

// otherMethod answers a method that a route does not have, with those that it has.
func otherMethod(methods string) handler {
	return func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Allow", methods)
		return errMethod
	}
}

// ServeHTTP answers one request, whatever part of the API it is for.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.dispatch(w, r, a.mux) }

func (a *API) dispatch(w http.ResponseWriter, r *http.Request, h http.Handler) {
	w.Header().Set("X-Served-By", a.Replica)
	if a.draining.Load() {
		w.Header().Set("Connection", "close") // so that the balancer opens its next connection elsewhere
	}
	if !isPlain(r.URL.EscapedPath()) {
		h = a.nothing
	}
	h.ServeHTTP(w, r)
}

// isPlain reports whether a path is one that the mux looks up as it is. It would answer any other one by itself, with a redirect or a page
// of its own, for which no address has a limit, and which nobody counts.
func isPlain(escaped string) bool {
	clean := path.Clean(escaped)
	return strings.HasPrefix(escaped, "/") && (escaped == clean || clean != "/" && escaped == clean+"/")
}

// Active is the gauge of requests being answered; probes and scrapes are not counted.
func (a *API) Active() *service.Gauge { return &a.active }

// Started makes the API ready.
func (a *API) Started() { a.started.Store(true) }

// Drain makes the API unready for good; it goes on serving.
func (a *API) Drain() { a.draining.Store(true) }
