package httpapi_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sentinel-chaos/sentinel/service"
	"github.com/sentinel-chaos/sentinel/service/httpapi"
)

// ledger know what one tenant used.
type ledger struct{ err error }

func (b ledger) Usage(_ context.Context, tenant string, from, to time.Time) ([]service.Usage, error) {
	if tenant != "acme" || to.Sub(from) != 30*24*time.Hour {
		return nil, b.err
	}
	return []service.Usage{{KeyID: "7", Requests: 5, Calls: 2, Cost: 40}, {KeyID: "8", Requests: 1, Calls: 1, Cost: 2}}, b.err
}

// administer sends a request with the token and returns status and body.
func administer(t *testing.T, a http.Handler, method, path, token, body string) (int, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func TestAdmin(t *testing.T) {
	away := &service.Unavailable{Reason: service.ReasonAuth, RetryAfter: time.Second}
	const usage = "/v1/admin/usage?tenant=acme&to=2026-01-31T00:00:00Z"
	tests := []struct {
		name, method, path, body string
		fails                    error
		status                   int
		want                     string // part of the answer
	}{
		{"issued", "POST", "/v1/admin/keys", `{"tenant":"acme-2"}`, nil, 201, `{"tenant":"acme-2","api_key":"sk-for-acme-2","id":"7"}`},
		{"no tenant", "POST", "/v1/admin/keys", `{}`, nil, 422, `"field":"tenant"`},
		{"not a slug", "POST", "/v1/admin/keys", `{"tenant":"a b"}`, nil, 422, `"field":"tenant"`},
		{"not issued", "POST", "/v1/admin/keys", `{"tenant":"acme"}`, away, 503, "auth_unavailable"},
		{"all keys", "GET", "/v1/admin/keys", "", nil, 200, `{"keys":[{"id":"8","tenant":"globex","created_at":"2026-01-02T03:04:05Z","revoked_at":null},{"id":"7",`},
		{"a tenant's keys", "GET", "/v1/admin/keys?tenant=acme", "", nil, 200,
			`{"keys":[{"id":"7","tenant":"acme","created_at":"2026-01-02T03:04:05Z","revoked_at":"2026-01-02T04:04:05Z"}]}`},
		{"no keys", "GET", "/v1/admin/keys?tenant=nobody", "", nil, 200, `{"keys":[]}`},
		{"keys away", "GET", "/v1/admin/keys", "", away, 503, "auth_unavailable"},
		{"revoked", "DELETE", "/v1/admin/keys/7", "", nil, 204, ""},
		{"revoked what is not there", "DELETE", "/v1/admin/keys/9", "", nil, 404, "no_such_key"},
		{"usage", "GET", usage, "", nil, 200, `{"tenant":"acme","from":"2026-01-01T00:00:00Z","to":"2026-01-31T00:00:00Z",` +
			`"total":{"requests":6,"llm_calls":3,"cost_nanousd":42},"keys":[{"key_id":"7","requests":5,"llm_calls":2,"cost_nanousd":40},`},
		{"usage from a moment", "GET", usage + "&from=2026-01-01T01:00:00%2B01:00", "", nil, 200, `"requests":6`},
		{"usage until now", "GET", "/v1/admin/usage?tenant=acme", "", nil, 200, `"requests":6`},
		{"no usage", "GET", "/v1/admin/usage?tenant=nobody", "", nil, 200, `"keys":[]`},
		{"usage of whom", "GET", "/v1/admin/usage", "", nil, 422, `"details":[{"field":"tenant","rule":"required"}]`},
		{"usage until when", "GET", "/v1/admin/usage?tenant=acme&to=now", "", nil, 422, `"details":[{"field":"to","rule":"rfc3339"}]`},
		{"usage since when", "GET", "/v1/admin/usage?tenant=acme&from=1", "", nil, 422, `"details":[{"field":"from","rule":"rfc3339"}]`},
		{"usage from a plus that was not encoded", "GET", usage + "&from=2026-01-01T01:00:00+01:00", "", nil, 200, `"requests":6`},
		{"usage until the first year", "GET", "/v1/admin/usage?tenant=acme&to=0001-01-01T00:00:00Z", "", nil, 200, `"from":"0000-12-02T00:00:00Z"`},
		{"usage until the year before", "GET", "/v1/admin/usage?tenant=acme&to=0000-12-31T00:00:00Z", "", nil, 422, `"details":[{"field":"to","rule":"rfc3339"}]`},
		{"usage until the last year", "GET", "/v1/admin/usage?tenant=acme&to=9999-12-31T23:59:59Z", "", nil, 200, `"to":"9999-12-31T23:59:59Z"`},
		{"usage until the year after", "GET", "/v1/admin/usage?tenant=acme&to=9999-12-31T23:59:59-01:00", "", nil, 422, `"details":[{"field":"to","rule":"rfc3339"}]`},
		{"usage in a zone of 24 hours", "GET", usage + "&from=2026-01-02T00:00:00%2B24:00", "", nil, 200, `"from":"2026-01-01T00:00:00Z"`},
		{"usage of NUL", "GET", "/v1/admin/usage?tenant=%00", "", away, 422, `"field":"tenant"`},
		{"usage of no UTF-8", "GET", "/v1/admin/usage?tenant=%FF", "", away, 422, `"field":"tenant"`},
		{"keys of NUL", "GET", "/v1/admin/keys?tenant=%00", "", away, 422, `"field":"tenant"`},
		{"keys of no escape", "GET", "/v1/admin/keys?tenant=%zz", "", nil, 422, `"invalid_query"`},
		{"keys of two tenants", "GET", "/v1/admin/keys?tenant=acme&tenant=globex", "", nil, 422, `"details":[{"field":"tenant","rule":"once"}]`},
		{"keys, misspelt", "GET", "/v1/admin/keys?tenat=acme", "", nil, 422, `"details":[{"field":"tenat","rule":"unknown"}]`},
		{"usage away", "GET", usage, "", errors.New("secret"), 503, "books_unavailable"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			with := func(token string) *httpapi.API {
				a, _ := newAPI(fine, func(o *httpapi.Options) {
					o.APIKeys, o.Accounts, o.AdminToken = ring{err: test.fails}, ledger{err: test.fails}, token
				})
				return a
			}
			status, body := administer(t, with("admin"), test.method, test.path, "admin", test.body)
			if status != test.status || !strings.Contains(body, test.want) || strings.Contains(body, "secret") {
				t.Errorf("status %d: %s", status, body)
			}
			for what, attempt := range map[string][2]string{"wrong token": {"admin", "guess"}, "no token": {"admin", ""}, "closed": {"", ""}} {
				if status, body := administer(t, with(attempt[0]), test.method, test.path, attempt[1], test.body); status != 401 {
					t.Errorf("%s: status %d: %s", what, status, body)
				}
			}
		})
	}
}
