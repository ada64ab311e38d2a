package httpapi

import "net/http"

// Paths that one of two listeners has alone, or both.
const (
	queryPath = "/v1/query"
	livePath  = "/live"
)

// Queries is the part of the API for those who ask: queries, and whether the process is there. Metrics, other probes and administration are
// not found.
func (a *API) Queries() http.Handler {
	return a.only(func(path string) bool { return path == queryPath || path == livePath })
}

// Administration is the part for those who run the gateway: probes, metrics and administration. Queries are not found.
func (a *API) Administration() http.Handler {
	return a.only(func(path string) bool { return path != queryPath })
}

// only is the API with some of its paths.
func (a *API) only(has func(path string) bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if has(r.URL.Path) {
			a.dispatch(w, r, a.mux)
		} else {
			a.dispatch(w, r, a.nothing)
		}
	})
}
