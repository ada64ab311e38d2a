package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/sentinel-chaos/sentinel/service/httpapi"
)

// Each part of the API has its own paths, and is silent about those of the other.
func TestPartsOfTheAPI(t *testing.T) {
	metrics := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{}`)) })
	a, _ := newAPI(fine, func(o *httpapi.Options) { o.Metrics = metrics })
	tests := []struct {
		method, path            string
		queries, administration int // status of each part
	}{
		{"POST", "/v1/query", http.StatusOK, http.StatusNotFound},
		{"GET", "/v1/query", http.StatusMethodNotAllowed, http.StatusNotFound},
		{"GET", "/live", http.StatusOK, http.StatusOK},
		{"GET", "/ready", http.StatusNotFound, http.StatusServiceUnavailable},
		{"GET", "/health", http.StatusNotFound, http.StatusOK},
		{"GET", "/metrics", http.StatusNotFound, http.StatusOK},
		{"GET", "/v1/admin/keys", http.StatusNotFound, http.StatusUnauthorized},
		{"POST", "/v1/admin/keys", http.StatusNotFound, http.StatusUnauthorized},
		{"DELETE", "/v1/admin/keys/7", http.StatusNotFound, http.StatusUnauthorized},
		{"GET", "/v1/admin/usage?tenant=acme", http.StatusNotFound, http.StatusUnauthorized},
		{"GET", "/v1/query/../admin/keys", http.StatusNotFound, 0},
		{"GET", "//metrics", http.StatusNotFound, 0},
		{"GET", "/elsewhere", http.StatusNotFound, http.StatusNotFound},
	}
	for _, test := range tests {
		t.Run(test.method+" "+test.path, func(t *testing.T) {
			for name, part := range map[string]struct {
				http.Handler
				want int
			}{"queries": {a.Queries(), test.queries}, "administration": {a.Administration(), test.administration}} {
				if part.want == 0 {
					continue // a redirect to the path as it is written
				}
				resp, _ := do(t, part, test.method, test.path, query, "Authorization", "Bearer good")
				if resp.StatusCode != part.want || resp.Header.Get("X-Served-By") != "gateway-1" {
					t.Errorf("%s: status %d, not %d", name, resp.StatusCode, part.want)
				}
			}
		})
	}
}
