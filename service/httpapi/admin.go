package httpapi

import (
	"crypto/subtle"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sentinel-chaos/sentinel/service"
)

// admin lets administrators through only. It compares in constant time, so that the token cannot be guessed letter by
// letter.
func (a *API) admin(h handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if a.AdminToken == "" || subtle.ConstantTimeCompare([]byte(bearer(r)), []byte(a.AdminToken)) != 1 {
			return errUnauthorized
		}
		return h(w, r)
	}
}

type tenantBody struct {
	Tenant string `json:"tenant" validate:"required,max=63,hostname_rfc1123"`
}

type issuedBody struct {
	Tenant string `json:"tenant"`
	APIKey string `json:"api_key"`
	ID     string `json:"id"`
}

// issueKey makes an API key for a tenant and shows it this once.
func (a *API) issueKey(w http.ResponseWriter, r *http.Request) error {
	var body tenantBody
	release, err := a.read(w, r, &body)
	defer release()
	if err != nil {
		return err
	}
	key, id, err := a.APIKeys.Issue(r.Context(), body.Tenant)
	if err != nil {
		return err
	}
	reply(w, http.StatusCreated, issuedBody{Tenant: body.Tenant, APIKey: key, ID: id})
	return nil
}

type keyBody struct {
	ID      string     `json:"id"`
	Tenant  string     `json:"tenant"`
	Created time.Time  `json:"created_at"`
	Revoked *time.Time `json:"revoked_at"`
}

// listKeys lists the keys that there are, the newest first: those of ?tenant=, or all. Nobody has the keys themselves.
func (a *API) listKeys(w http.ResponseWriter, r *http.Request) error {
	query, err := a.parameters(r, "tenant")
	if err != nil {
		return err
	}
	keys, err := a.APIKeys.List(r.Context(), query.Get("tenant"))
	if err != nil {
		return err
	}
	list := make([]keyBody, len(keys))
	for i, k := range keys {
		list[i] = keyBody{ID: k.ID, Tenant: k.Tenant, Created: k.Created}
		if !k.Revoked.IsZero() {
			list[i].Revoked = &k.Revoked
		}
	}
	reply(w, http.StatusOK, map[string][]keyBody{"keys": list})
	return nil
}

// revokeKey ends a key for good. To repeat it does no harm.
func (a *API) revokeKey(w http.ResponseWriter, r *http.Request) error {
	if err := a.APIKeys.Revoke(r.Context(), r.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// usagePeriod is what ?from= defaults to, before ?to=.
const usagePeriod = 30 * 24 * time.Hour

type usedBody struct {
	Requests int64 `json:"requests"`
	Calls    int64 `json:"llm_calls"`
	Cost     int64 `json:"cost_nanousd"`
}

type keyUsedBody struct {
	KeyID string `json:"key_id"` // "" for what was booked without a key
	usedBody
}

type usageBody struct {
	Tenant string        `json:"tenant"`
	From   time.Time     `json:"from"`
	To     time.Time     `json:"to"`
	Total  usedBody      `json:"total"`
	Keys   []keyUsedBody `json:"keys"`
}

// usage sums up what a tenant used from ?from= on and before ?to=, in all and by API key.
func (a *API) usage(w http.ResponseWriter, r *http.Request) error {
	query, err := a.parameters(r, "tenant", "from", "to")
	if err != nil {
		return err
	}
	tenant := query.Get("tenant")
	if tenant == "" {
		return invalidQuery("tenant", "required")
	}
	to, err := moment(query, "to", time.Now())
	if err != nil {
		return err
	}
	from, err := moment(query, "from", to.Add(-usagePeriod))
	if err != nil {
		return err
	}
	used, err := a.Accounts.Usage(r.Context(), tenant, from, to)
	if err != nil {
		return &service.Unavailable{Reason: service.ReasonBooks, RetryAfter: time.Second, Err: err}
	}
	reply(w, http.StatusOK, sumUp(usageBody{Tenant: tenant, From: from, To: to}, used))
	return nil
}

// parameters reads the query of a URL, in which each of those named may stand once, and no other. A tenant is spelt like one.
func (a *API) parameters(r *http.Request, named ...string) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, invalidQuery("", "encoding")
	}
	for name, values := range query {
		switch {
		case !slices.Contains(named, name):
			return nil, invalidQuery(name, "unknown")
		case len(values) > 1:
			return nil, invalidQuery(name, "once")
		}
	}
	if tenant := query.Get("tenant"); tenant != "" && a.validate.Var(tenant, tenantRule) != nil {
		return nil, invalidQuery("tenant", "hostname_rfc1123")
	}
	return query, nil
}

// tenantRule is how a tenant is spelt, as in tenantBody.
const tenantRule = "max=63,hostname_rfc1123"

// lastYear is the last one that RFC 3339 can write. The first one is left out: what lies before is in none.
const lastYear = 9999

// moment reads a moment of the query, written as in RFC 3339, in UTC. A space stands for a plus that was not encoded.
func moment(query url.Values, name string, otherwise time.Time) (time.Time, error) {
	text := query.Get(name)
	if text == "" {
		return otherwise.UTC(), nil
	}
	at, err := time.Parse(time.RFC3339, strings.ReplaceAll(text, " ", "+"))
	if at = at.UTC(); err != nil || at.Year() < 1 || at.Year() > lastYear {
		return time.Time{}, invalidQuery(name, "rfc3339")
	}
	return at, nil
}

func invalidQuery(field, rule string) *problem {
	return &problem{status: http.StatusUnprocessableEntity, Type: invalidRequest, Code: "invalid_query",
		Message: "fields of the query break the rules named in details", Details: []detail{namedField(field, rule)}}
}

func sumUp(body usageBody, used []service.Usage) usageBody {
	body.Keys = make([]keyUsedBody, len(used))
	for i, u := range used {
		body.Keys[i] = keyUsedBody{u.KeyID, usedBody{Requests: u.Requests, Calls: u.Calls, Cost: u.Cost}}
		body.Total.Requests += u.Requests
		body.Total.Calls += u.Calls
		body.Total.Cost += u.Cost
	}
	return body
}
